import { assertEquals } from "@std/assert";

/** Runs the toolchain in a tree of its own, whose tools are all there but denort; nothing can be fetched. */
function toolchain(env: Record<string, string>): { code: number; stdout: string; stderr: string } {
  const root = Deno.makeTempDirSync();
  const script = (path: string, text: string) => {
    Deno.writeTextFileSync(`${root}/${path}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  };
  try {
    for (const folder of ["scripts", "bin", ".tools/bin", ".tools/deno_dir"]) {
      Deno.mkdirSync(`${root}/${folder}`, { recursive: true });
    }
    const text = Deno.readTextFileSync(new URL("toolchain", import.meta.url));
    Deno.writeTextFileSync(`${root}/scripts/toolchain`, text, { mode: 0o755 });
    const stamp = /stamp=(\S+)/.exec(text)![1];
    const version = (tool: string) => new RegExp(`^${tool}_version=(\\S+)`, "m").exec(text)![1];
    const esbuild = version("esbuild");
    Deno.mkdirSync(`${root}/.tools/deno_dir/dl/esbuild-${esbuild}`, { recursive: true });
    script(`.tools/deno_dir/dl/esbuild-${esbuild}/esbuild-linux-x64`, "");
    script(".tools/bin/deno", "exit 1");
    script("bin/npm", "exit 1");
    script("own-denort", "");
    const name = stamp.replace("$deno_version", version("deno")).replace(
      "$esbuild_version",
      esbuild,
    );
    Deno.writeTextFileSync(`${root}/.tools/${name}`, "");
    const { code, stdout, stderr } = new Deno.Command(`${root}/scripts/toolchain`, {
      env: {
        ...Object.fromEntries(Object.entries(env).map(([k, v]) => [k, v.replace("ROOT", root)])),
        PATH: `${root}/bin:${Deno.env.get("PATH")}`,
      },
    }).outputSync();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replaceAll(root, "ROOT");
    return { code, stdout: decode(stdout), stderr: decode(stderr) };
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("a denort of the caller's own is used as it is", () => {
  const { code, stdout } = toolchain({ DENORT_BIN: "ROOT/own-denort" });
  assertEquals(code, 0);
  assertEquals(stdout.includes("DENORT_BIN=ROOT/own-denort\n"), true, stdout);
});

Deno.test("who had one of his own before, and has none now, gets the usual one", () => {
  const { code, stderr } = toolchain({ DENORT_BIN: "" });
  assertEquals(code, 1);
  assertEquals(/dvisor: npm could not fetch \S+\n$/.test(stderr), true, stderr);
});

Deno.test("one that is not there: one line", () => {
  const { code, stderr } = toolchain({ DENORT_BIN: "ROOT/nothing" });
  assertEquals({ code, stderr }, {
    code: 1,
    stderr: "dvisor: DENORT_BIN is no program: ROOT/nothing\n",
  });
});
