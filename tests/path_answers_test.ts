// Two of tests/programs once more, on files that are there before the sandbox is: attributes of such files are what guest
// threads may know, and such files what they may close, by themselves. programs_test.ts runs them on files that they make.
import { assertEquals } from "@std/assert";
import { run, sandboxed } from "./runs.ts";
import { programPath } from "./sandbox.ts";

const PROGRAMS = ["path_answers", "open_files"];

/** What `enter` of the program finds, for each of its tests. */
function makeFixtures(program: string): string {
  const source = new URL(`programs/${program}.c`, import.meta.url).pathname;
  const root = Deno.makeTempDirSync({ prefix: "dvisor-answers-" });
  Deno.chmodSync(root, 0o755);
  for (const [, test] of Deno.readTextFileSync(source).matchAll(/^TEST\((\w+),/gm)) {
    const folder = `${root}/${test}`;
    Deno.mkdirSync(`${folder}/dir`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/file`, "12345");
    Deno.writeTextFileSync(`${folder}/dir/inner`, "inner");
    Deno.symlinkSync("file", `${folder}/link`);
    Deno.linkSync(`${folder}/file`, `${folder}/hard`);
  }
  return root;
}

for (const { platform, command } of sandboxed()) {
  for (const program of PROGRAMS) {
    Deno.test(`${platform}: ${program}, of files of the host`, async () => {
      const fixtures = makeFixtures(program);
      try {
        const options = { env: { FIXTURES: fixtures } };
        const native = await run([programPath(program)]);
        const { stdout } = await run([...command, programPath(program)], options);
        assertEquals(stdout, native.stdout);
      } finally {
        Deno.removeSync(fixtures, { recursive: true });
      }
    });
  }
}
