// Runs every stage of the test suite and counts: `./scripts/test [NAME]` builds, then starts this.
// NAME is a stage (fmt, lint, check, law, abi, unit, blackbox), part of a test file's path, or part
// of a test's name. Black-box tests find the binary in $DVISOR, their programs in $DVISOR_PROGRAMS.
import { existsSync, walkSync } from "@std/fs";

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

interface Stage {
  name: string;
  run: (filter: string | undefined) => Promise<Tally>;
}

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const FOLDERS = ["runtime", "sentry", "gofer", "platform", "scripts", "tests"];
/** A test that shows no sign of life for this long has failed, and its processes are killed. */
const SILENCE_MS = Number(Deno.env.get("DVISOR_TEST_TIMEOUT_S") ?? 120) * 1000;

const STAGES: readonly Stage[] = [
  { name: "fmt", run: () => denoOnSources("fmt", "--check") },
  { name: "lint", run: () => denoOnSources("lint") },
  { name: "check", run: () => denoOnSources("check", "--frozen") },
  { name: "law", run: () => script("scripts/import_law.ts") },
  { name: "abi", run: () => script("scripts/check_abi.ts") },
  { name: "unit", run: (filter) => testFiles(unitFiles(), filter) },
  { name: "blackbox", run: (filter) => testFiles(filesBelow("tests", "_test.ts"), filter) },
];

async function main(name: string | undefined): Promise<number> {
  const stage = STAGES.find((each) => each.name === name);
  const filter = stage === undefined ? name : undefined;
  const chosen = stage !== undefined
    ? [stage]
    : STAGES.filter((each) => filter === undefined || ["unit", "blackbox"].includes(each.name));
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const each of chosen) {
    console.log(`== ${each.name}`);
    const startMs = performance.now();
    const tally = await each.run(filter);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(`== ${each.name}: ${words(tally)} in ${seconds} s\n`);
    add(total, tally);
  }
  if (total.passed + total.failed === 0) {
    console.log(`no test matches "${name}"`);
    total.failed = 1;
  }
  console.log(words(total));
  return total.failed === 0 ? 0 : 1;
}

function words({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : "");
}

function add(total: Tally, more: Tally): void {
  total.passed += more.passed;
  total.failed += more.failed;
  total.skipped += more.skipped;
}

// ---- Stages that pass or fail as a whole

function denoOnSources(...args: string[]): Promise<Tally> {
  const files = FOLDERS.flatMap((folder) => filesBelow(folder, ".ts"));
  if (existsSync(`${ROOT}/mod.ts`)) files.push("mod.ts");
  return whole([...args, ...files]);
}

function script(path: string): Promise<Tally> {
  if (existsSync(`${ROOT}/${path}`)) return whole(["run", "-A", "--no-check", "--frozen", path]);
  console.log(`${path} is not there`);
  return Promise.resolve({ passed: 0, failed: 0, skipped: 1 });
}

async function whole(args: string[]): Promise<Tally> {
  const { success } = await deno(args).spawn().status;
  return { passed: success ? 1 : 0, failed: success ? 0 : 1, skipped: 0 };
}

// ---- Stages made of test files

function unitFiles(): string[] {
  return FOLDERS.filter((folder) => folder !== "tests").flatMap((f) => filesBelow(f, "_test.ts"));
}

/** Each file in a process of its own, so that one that crashes or hangs is one failure. */
async function testFiles(files: string[], filter: string | undefined): Promise<Tally> {
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  const byPath = files.filter((file) => filter !== undefined && file.includes(filter));
  const chosen = byPath.length > 0 ? byPath : files;
  for (const file of chosen) {
    add(total, await testFile(file, byPath.length > 0 ? undefined : filter));
  }
  return total;
}

async function testFile(file: string, nameFilter: string | undefined): Promise<Tally> {
  const filterArgs = nameFilter === undefined ? [] : ["--filter", nameFilter];
  const command = deno(["test", "-A", "--no-check", "--frozen", ...filterArgs, file], "piped");
  const child = command.spawn();
  const output = new TestOutput(file);
  let timedOut = false;
  let timer = 0;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, SILENCE_MS);
  };
  alive();
  const drain = async (stream: ReadableStream<Uint8Array>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      alive();
      output.push(text);
    }
  };
  const drained = Promise.all([drain(child.stdout), drain(child.stderr)]);
  const { code } = await child.status;
  clearTimeout(timer);
  killGroup(child.pid); // What a test left behind must not hold the pipes open, nor the machine.
  await drained;
  return output.finish(code, timedOut);
}

/** The report of one `deno test`: passed on as it comes, except where nothing was to be run. */
class TestOutput {
  #file: string;
  #text = "";
  #shown = 0;

  constructor(file: string) {
    this.#file = file;
  }

  push(text: string): void {
    this.#text += text;
    if (/ \.\.\.|rror/.test(this.#text)) this.#show();
  }

  finish(code: number, timedOut: boolean): Tally {
    const summary =
      /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed[^|\n]*?(?: \| (\d+) ignored)?(?: .*)?$/m
        .exec(this.#text);
    if (summary !== null && !timedOut) {
      const [passed, failed, skipped] = summary.slice(1).map((digits) => Number(digits ?? 0));
      // A failure outside of any test (a leak, an error at the end) shows in the exit code alone.
      return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
    }
    this.#show();
    const why = timedOut ? `no output for ${SILENCE_MS / 1000} s, killed` : `exit status ${code}`;
    console.log(`\n${this.#file} ... FAILED (${why})`);
    const results = [...this.#text.matchAll(/^\S.* \.\.\. (ok|FAILED|ignored)/gm)];
    const count = (word: string) => results.filter((result) => result[1] === word).length;
    return { passed: count("ok"), failed: count("FAILED") + 1, skipped: count("ignored") };
  }

  #show(): void {
    Deno.stdout.writeSync(new TextEncoder().encode(this.#text.slice(this.#shown)));
    this.#shown = this.#text.length;
  }
}

// ---- Processes and files

/** A `deno` with the environment of a test; one that is piped leads a process group of its own. */
function deno(args: string[], output: "inherit" | "piped" = "inherit"): Deno.Command {
  const own = output === "piped";
  return new Deno.Command(own ? "setsid" : Deno.execPath(), {
    args: own ? [Deno.execPath(), ...args] : args,
    cwd: ROOT,
    stdin: "null",
    stdout: output,
    stderr: output,
    env: {
      NO_COLOR: "1",
      DVISOR: Deno.env.get("DVISOR") ?? `${ROOT}/dist/dvisor`,
      DVISOR_PROGRAMS: `${ROOT}/dist/tests`,
    },
  });
}

/** setsid(1) execs without a fork, so the child's pid is its group's. */
function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function filesBelow(folder: string, ending: string): string[] {
  if (!existsSync(`${ROOT}/${folder}`)) return [];
  return [...walkSync(`${ROOT}/${folder}`)]
    .filter((entry) => entry.isFile && entry.name.endsWith(ending))
    .map((entry) => entry.path.slice(ROOT.length + 1));
}

if (import.meta.main) Deno.exit(await main(Deno.args[0]));
