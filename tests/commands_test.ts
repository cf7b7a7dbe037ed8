// The commands of tests/commands/list.ts: natively, and the same on each platform.
// $DVISOR_PLATFORMS names the platforms, "systrap,ptrace" if it is not set.
import { assertEquals } from "@std/assert";
import { existsSync } from "@std/fs";
import { makeFixtures } from "./commands/fixtures.ts";
import { type Row, ROWS } from "./commands/list.ts";
import { type Result, run, sandboxed } from "./runs.ts";
import { PLAIN_PATH } from "./workloads.ts";

const COMMANDS = new URL("commands", import.meta.url).pathname;
const WORK = new URL("../dist/tests-work", import.meta.url).pathname;
const FIXTURES = `${WORK}/fixtures`;
const LIMIT_SECONDS = 90;

const INTERPRETERS: Record<string, string> = {
  sh: "sh",
  bash: "bash",
  py: "python3",
  pl: "perl",
  js: "node",
};

makeFixtures(FIXTURES);
for (const row of ROWS) {
  const [name, , needs = ""] = row;
  const ignore = !needs.split(" ").every((program) => program === "" || isInstalled(program));
  let native: Promise<Result> | undefined;
  for (const { platform, command } of sandboxed()) {
    Deno.test({
      name: `${name} (${platform})`,
      ignore,
      async fn() {
        const expected = await (native ??= runRow(row, []));
        assertEquals(await runRow(row, command), expected);
      },
    });
  }
}

/** The words of a row: a script of this folder, or else a line for sh. */
function argvOf([, script]: Row): string[] {
  const ending = /^\w+\.(\w+)$/.exec(script)?.[1];
  return ending === undefined
    ? ["sh", "-c", script]
    : [INTERPRETERS[ending], `${COMMANDS}/${script}`];
}

/** Runs a row in an empty folder, whose name is the same each time. */
async function runRow(row: Row, before: string[]): Promise<Result> {
  const cwd = `${WORK}/here`;
  Deno.mkdirSync(WORK, { recursive: true });
  if (existsSync(cwd)) Deno.removeSync(cwd, { recursive: true });
  Deno.mkdirSync(cwd);
  const env = { COMMANDS, FIXTURES };
  return await run([...before, ...argvOf(row)], { cwd, env, limitSeconds: LIMIT_SECONDS });
}

function isInstalled(program: string): boolean {
  return PLAIN_PATH.split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}
