/** What black-box tests of the command share: where things are, and how to run and look at them. */

const ROOT = new URL("..", import.meta.url).pathname;

export const DVISOR = Deno.env.get("DVISOR") ?? `${ROOT}dist/dvisor`;

/** A program of tests/programs. */
export function programPath(name: string): string {
  return `${Deno.env.get("DVISOR_PROGRAMS") ?? `${ROOT}dist/tests`}/${name}`;
}

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs dvisor to its end, without input. */
export async function dvisor(...args: string[]): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(DVISOR, { args, stdin: "null" }).output();
  return {
    code,
    stdout: new TextDecoder().decode(stdout),
    stderr: new TextDecoder().decode(stderr),
  };
}

/** Starts `dvisor do ARGS` and waits until its first line of output is there. */
export async function startDo(
  args: string[],
  stdin: "null" | "piped" = "null",
  binary = DVISOR,
): Promise<Running> {
  const child = new Deno.Command(binary, {
    args: ["do", ...args],
    stdin,
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  while (!output.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) {
      throw new Error(`dvisor ended with ${(await child.status).code} before it said a line`);
    }
    output += value;
  }
  return new Running(child, reader, output);
}

/** With a copy of dvisor that every user may run: the tests may lie where only root may look, as in root's home. */
export async function withCopy(use: (binary: string) => Promise<void>): Promise<void> {
  const binary = await Deno.makeTempFile();
  try {
    await Deno.copyFile(DVISOR, binary);
    await Deno.chmod(binary, 0o755);
    await use(binary);
  } finally {
    await Deno.remove(binary);
  }
}

export class Running {
  constructor(
    readonly child: Deno.ChildProcess,
    readonly reader: ReadableStreamDefaultReader<string>,
    public output: string,
  ) {}

  /** Host pids of the sandbox process and, after it, of its stubs. */
  processes(): number[] {
    return descendants(this.child.pid);
  }

  async end(signal: Deno.Signal = "SIGKILL"): Promise<Deno.CommandStatus> {
    try {
      this.child.kill(signal);
    } catch { /* it ended already */ }
    for (;;) {
      const { value, done } = await this.reader.read();
      if (done) break;
      this.output += value;
    }
    return await this.child.status;
  }
}

/** Every living process below `pid`, parents first. */
export function descendants(pid: number): number[] {
  const found: number[] = [];
  for (const task of entries(`/proc/${pid}/task`)) {
    for (const child of words(`/proc/${pid}/task/${task}/children`)) {
      found.push(Number(child), ...descendants(Number(child)));
    }
  }
  return found;
}

/** Processes as they are now, told from later ones with the same number. */
export function identify(pids: number[]): string[] {
  return pids.map((pid) => `${pid} started at ${stat(pid)[19]}`);
}

export function isAlive(identity: string): boolean {
  const pid = parseInt(identity);
  const fields = stat(pid);
  if (fields[19] === undefined) return false; // Gone, perhaps before it was identified.
  return `${pid} started at ${fields[19]}` === identity && !["Z", "X"].includes(fields[0]);
}

/** The fields of /proc/PID/stat after the name. */
function stat(pid: number): string[] {
  return text(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
}

/** A field of /proc/PID/status, "" when the process is gone. */
export function statusField(pid: number, name: string): string {
  const line = text(`/proc/${pid}/status`).split("\n").find((l) => l.startsWith(name + ":"));
  return line?.slice(name.length + 1).trim() ?? "";
}

/** Waits until `condition` holds; throws after ten seconds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`not within ten seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function entries(path: string): string[] {
  try {
    return Array.from(Deno.readDirSync(path), (entry) => entry.name);
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function words(path: string): string[] {
  return text(path).split(/\s+/).filter((word) => word !== "");
}
