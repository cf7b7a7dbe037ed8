// tests/programs/path_answers.c once more, on files that are there before the sandbox is: attributes of such files
// are what guest threads may know by themselves. programs_test.ts runs it on files that it makes.
import { assertEquals } from "@std/assert";
import { run, sandboxed } from "./runs.ts";
import { programPath } from "./sandbox.ts";

const SOURCE = new URL("programs/path_answers.c", import.meta.url).pathname;

/** What `enter` of the program finds, for each of its tests. */
function makeFixtures(): string {
  const root = Deno.makeTempDirSync({ prefix: "dvisor-answers-" });
  Deno.chmodSync(root, 0o755);
  for (const [, test] of Deno.readTextFileSync(SOURCE).matchAll(/^TEST\((\w+),/gm)) {
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
  Deno.test(`${platform}: what is told of files of the host is what is so`, async () => {
    const fixtures = makeFixtures();
    try {
      const options = { env: { FIXTURES: fixtures } };
      const native = await run([programPath("path_answers")]);
      const { stdout } = await run([...command, programPath("path_answers")], options);
      assertEquals(stdout, native.stdout);
    } finally {
      Deno.removeSync(fixtures, { recursive: true });
    }
  });
}
