/** The command's entry: one file, many roles. Each role imports what it needs and nothing else. */

async function main(args: string[]): Promise<void> {
  // The sandbox process is the first of its pid namespace.
  if (args[0] === "boot" && Deno.pid === 1) return (await import("./boot.ts")).boot();
  if (args[0] === "do") return await (await import("./do.ts")).run(args.slice(1));
  return await (await import("./cli.ts")).run(args);
}

await main(Deno.args);
