// Runs what a row asks for, once, natively or in a sandbox.
import type { Row } from "./rows.ts";

export interface Target {
  name: string;
  /** Words before the command; none: natively. */
  command: string[];
  /** The sandbox's own program, shared by all sandboxes; it does not count as one's memory. */
  binary?: string;
}

export interface Setting {
  /** Where micro, clock and typist lie. */
  tools: string;
  /** The fixtures' folder, the current directory of every run. */
  work: string;
  env: Record<string, string>;
  /** A run that takes longer is killed and has no figure. */
  limitSeconds: number;
  microRounds: number;
  microRoundMs: number;
}

/** Figures by row id: nanoseconds, per cent or MiB, as the row's unit says. */
export type Figures = Map<string, number>;

/** One round of all `rows` for one target; a row that fails is missing, and `failed` hears why. */
export async function measure(
  target: Target,
  rows: readonly Row[],
  setting: Setting,
  failed: (row: Row, why: string) => void,
): Promise<Figures> {
  const figures: Figures = new Map();
  const run = new Round(target, setting, figures, failed);
  const of = (kind: string) => rows.filter(({ way }) => way.kind === kind);
  const [free, pinned] = [false, true].map((wanted) =>
    rows.filter(({ way }) => way.kind === "micro" && (way.pinned ?? false) === wanted)
  );
  if (free.length > 0) await run.micro(free, []);
  if (pinned.length > 0) await run.micro(pinned, ["taskset", "-c", "0"]);
  for (const row of of("outside")) await run.outside(row);
  if (of("inside").length > 0) await run.inside(of("inside"));
  if (of("warm").length > 0) await run.inside(of("warm"));
  if (of("typed").length > 0) await run.typed(of("typed"));
  if (of("idle").length > 0) await run.idle(of("idle"));
  return figures;
}

interface Line {
  row: string;
  ns?: number;
  rounds_ns?: number[];
}

class Round {
  constructor(
    readonly target: Target,
    readonly setting: Setting,
    readonly figures: Figures,
    readonly failed: (row: Row, why: string) => void,
  ) {}

  async micro(rows: readonly Row[], before: string[]): Promise<void> {
    const { tools, microRounds, microRoundMs } = this.setting;
    const names = rows.map(({ way }) => way.kind === "micro" ? way.row : "");
    const options = [`--rounds=${microRounds}`, `--round-ms=${microRoundMs}`];
    const command = [...before, ...this.target.command, `${tools}/micro`, ...options, ...names];
    this.#take(rows, names, await this.#run(command));
  }

  async outside(row: Row): Promise<void> {
    if (row.way.kind !== "outside") return;
    const { script, prepare, nativeOnly } = row.way;
    if (nativeOnly && this.target.command.length > 0) return;
    // On the host, whatever the target: a sandbox begins with what is there.
    if (prepare !== undefined) await this.#run(["sh", "-c", prepare]);
    const startMs = performance.now();
    const { why } = await this.#run([...this.target.command, "sh", "-c", script]);
    if (why !== undefined) return this.failed(row, why);
    this.figures.set(row.id, (performance.now() - startMs) * 1e6);
  }

  /** All of them in one sandbox, timed by a program in it. Unless a row says otherwise the first of five runs warms up. */
  async inside(rows: readonly Row[]): Promise<void> {
    const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
    const lines = rows.map(({ id, way }) => {
      if (way.kind !== "inside" && way.kind !== "warm") return "";
      const rounds = way.kind === "warm" ? way.warmUp + way.measured : 5;
      const words = [id, String(rounds), way.prepare ?? "", "--", ...way.argv];
      return `${quoted(`${this.setting.tools}/clock`)} ${words.map(quoted).join(" ")}`;
    });
    const script = lines.join("\n");
    const ids = rows.map(({ id }) => id);
    this.#take(rows, ids, await this.#run([...this.target.command, "sh", "-c", script]));
  }

  async typed(rows: readonly Row[]): Promise<void> {
    const shell = [...this.target.command, "bash", "--norc", "--noprofile", "--noediting", "-i"];
    const names = rows.map(({ way }) => way.kind === "typed" ? way.row : "");
    this.#take(rows, names, await this.#run([`${this.setting.tools}/typist`, "15", ...shell]));
  }

  async idle(rows: readonly Row[]): Promise<void> {
    if (this.target.command.length === 0) return;
    const [program, ...args] = this.target.command;
    const child = new Deno.Command(program, {
      args: [...args, "sh", "-c", "echo up; exec sleep 1000"],
      ...this.#surroundings(),
      stdout: "piped",
    }).spawn();
    try {
      const reader = child.stdout.getReader();
      const { done } = await reader.read();
      reader.releaseLock();
      if (done) return rows.forEach((row) => this.failed(row, "the sandbox did not come up"));
      await pause(2000);
      const before = cpuNs(child.pid);
      await pause(3000);
      const cpuPercent = (cpuNs(child.pid) - before) / 3e9 * 100;
      for (const row of rows) {
        const cpu = row.way.kind === "idle" && row.way.figure === "cpu";
        this.figures.set(row.id, cpu ? cpuPercent : pssMiB(child.pid, this.target.binary));
      }
    } finally {
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), 3000);
      await child.stdout.cancel();
      await child.status;
      clearTimeout(killer);
    }
  }

  #surroundings() {
    const { work, env } = this.setting;
    return { cwd: work, env, clearEnv: true, stdin: "null", stderr: "null" } as const;
  }

  async #run(command: string[]): Promise<{ stdout: string; why?: string }> {
    const limit = ["-k", "1", String(this.setting.limitSeconds)];
    const { code, stdout, stderr } = await new Deno.Command("timeout", {
      args: [...limit, ...command],
      ...this.#surroundings(),
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
    const why = code === 0
      ? undefined
      : code === 124
      ? "timed out"
      : `exit status ${code}: ${text}`;
    return { stdout: new TextDecoder().decode(stdout), why };
  }

  /** The figures of `rows`, which the tools call `names`, from the lines that a tool printed. */
  #take(rows: readonly Row[], names: string[], ran: { stdout: string; why?: string }): void {
    const printed = ran.stdout.split("\n").filter((line) => line.startsWith('{"row"'));
    const lines = printed.filter((line) => line.endsWith("}")).map((line) =>
      JSON.parse(line) as Line
    );
    rows.forEach((row, i) => {
      const line = lines.find((each) => each.row === names[i]);
      const warmUp = row.way.kind === "warm" ? row.way.warmUp : 1;
      const value = line?.ns ?? median(line?.rounds_ns?.slice(warmUp) ?? []);
      if (value === undefined) this.failed(row, ran.why ?? "no figure was printed");
      else this.figures.set(row.id, value);
    });
  }
}

export function median(values: number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// ---- What the processes of a sandbox use: the one that was started, and all that come from it

function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readProc(`/proc/${name}/stat`);
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    children.set(parent, [...children.get(parent) ?? [], Number(name)]);
  }
  const found = [root];
  for (let i = 0; i < found.length; i++) found.push(...children.get(found[i]) ?? []);
  return found;
}

function readProc(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // It has just ended.
  }
}

function cpuNs(root: number): number {
  let total = 0;
  for (const pid of descendants(root)) {
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      total += Number(readProc(`/proc/${pid}/task/${name}/schedstat`).split(" ")[0]);
    }
  }
  return total;
}

/** The proportional set size of all, less the clean pages of `binary`, whichever name they are mapped by. */
function pssMiB(root: number, binary: string | undefined): number {
  const shared = binary === undefined ? undefined : Deno.statSync(binary).ino;
  let totalKiB = 0;
  for (const pid of descendants(root)) {
    totalKiB += Number(/^Pss:\s+(\d+)/m.exec(readProc(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
    for (const mapping of readProc(`/proc/${pid}/smaps`).split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
      if (Number(mapping.split(/\s+/, 5)[4]) !== shared) continue;
      const field = (name: string) =>
        Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(mapping)?.[1] ?? 0);
      totalKiB -= Math.max(0, field("Pss") - field("Private_Dirty"));
    }
  }
  return totalKiB / 1024;
}
