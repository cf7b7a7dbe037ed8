/** The command's entry: one file, many roles. Each role imports what it needs and nothing else. */

async function main(args: string[]): Promise<void> {
  switch (args[0]) {
    case "boot":
      return (await import("./boot.ts")).boot();
    case "do":
      return await (await import("./do.ts")).run(args.slice(1));
    default:
      return await (await import("./cli.ts")).run(args);
  }
}

await main(Deno.args);
