// Measures the rows of tests/bench/rows.ts for every target, interleaved, and reports medians.
import { parseArgs } from "@std/cli/parse-args";
import { ensureDirSync, existsSync } from "@std/fs";
import {
  type Figures,
  measure,
  median,
  type Setting,
  type Target,
} from "../tests/bench/measure.ts";
import { reached, type Result, svg, table } from "../tests/bench/report.ts";
import { type Columns, LEFTOVERS, type Row, ROWS } from "../tests/bench/rows.ts";
import { PLAIN_PATH, writeCProject, writeSmallFiles } from "../tests/workloads.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const OUT = `${ROOT}/dist/bench`;
const TARGETS = ["native", "systrap", "ptrace", "peer"];

async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  const rows = chosenRows(options.rows, options.quick);
  const names = options.targets?.split(",") ?? TARGETS;
  const strange = names.find((name) => !TARGETS.includes(name));
  if (strange !== undefined || rows.length === 0) {
    console.error(strange !== undefined ? `bench: no target ${strange}` : "bench: no such row");
    return 2;
  }
  await compileTools();
  const targets = await findTargets(names);
  const setting = makeSetting(rows, options.quick);
  const rounds = Number(options.rounds ?? (options.quick ? 1 : 3));
  const whole = !options.quick && rows.length === ROWS.length && targets.length === TARGETS.length;
  const results = await runRounds(targets, rows, setting, rounds);
  report(results, targets.map(({ name }) => name), whole ? `${ROOT}/docs` : OUT);
  return 0;
}

interface Options {
  quick: boolean;
  rows?: string;
  targets?: string;
  rounds?: string;
}

function parseOptions(args: string[]): Options {
  const unknown = (arg: string) => {
    console.error(`bench: what is ${arg}?`);
    Deno.exit(2);
  };
  const string = ["rows", "targets", "rounds"];
  return parseArgs(args, { boolean: ["quick"], string, unknown }) as unknown as Options;
}

function chosenRows(filter: string | undefined, quick: boolean): Row[] {
  const parts = filter?.split(",");
  return ROWS.filter(({ id, quick: isQuick }) =>
    (!quick || isQuick) && (parts === undefined || parts.some((part) => id.includes(part)))
  );
}

async function runRounds(
  targets: readonly Target[],
  rows: readonly Row[],
  setting: Setting,
  rounds: number,
): Promise<Result[]> {
  const all = new Map<string, Figures[]>(targets.map(({ name }) => [name, []]));
  const told = new Set<string>();
  for (let round = 1; round <= rounds; round++) {
    for (const target of targets) {
      console.error(`bench: round ${round} of ${rounds}, ${target.name}`);
      const failed = (row: Row, why: string) => {
        const line = `bench: ${target.name}, ${row.id}: ${why}`;
        if (!told.has(line)) console.error(line);
        told.add(line);
      };
      // It takes minutes until all sandboxes are warm: once.
      const due = rows.filter(({ way }) => round === 1 || way.kind !== "warm");
      all.get(target.name)!.push(await measure(target, due, setting, failed));
      for (const path of LEFTOVERS) await succeeds("rm", "-rf", path);
    }
  }
  return rows.map((row) => {
    const columns: Columns = {};
    for (const [name, figures] of all) {
      const values = figures.map((each) => each.get(row.id));
      columns[name] = median(values.filter((value) => value !== undefined));
    }
    return { row, columns };
  });
}

// ---- What a run needs: programs, sandboxes, fixtures

async function compileTools(): Promise<void> {
  ensureDirSync(OUT);
  for (const name of ["micro", "clock", "typist"]) {
    const source = `${ROOT}/tests/bench/${name}.c`;
    const program = `${OUT}/${name}`;
    const built = existsSync(program) ? Deno.statSync(program).mtime! : new Date(0);
    if (Deno.statSync(source).mtime! < built) continue;
    const flags = ["-std=gnu17", "-O2", "-Wall", "-static", "-pthread"];
    if (!await succeeds("gcc", ...flags, "-o", program, source)) {
      throw new Error(`${source} does not compile`);
    }
  }
  if (!existsSync(`${OUT}/hello`)) {
    Deno.writeTextFileSync(`${OUT}/hello.js`, 'console.log("hello");\n');
    const flags = ["--no-check", "--no-config", "--no-code-cache"];
    must(Deno.execPath(), "compile", "-q", "-A", ...flags, "-o", `${OUT}/hello`, `${OUT}/hello.js`);
  }
}

async function findTargets(names: readonly string[]): Promise<Target[]> {
  const binary = `${ROOT}/dist/dvisor`;
  const dvisor = (platform: string): Target => ({
    name: platform,
    command: [binary, "do", "--platform", platform, "--"],
    binary,
  });
  const targets: Target[] = [];
  for (const name of names) {
    const target = name === "native"
      ? { name, command: [] }
      : name === "peer"
      ? await findPeer()
      : dvisor(name);
    if (typeof target === "string") {
      console.error(`bench: ${name} is skipped: ${target}`);
    } else if (target.command.length > 0 && !await succeeds(...target.command, "/bin/true")) {
      console.error(`bench: ${name} is skipped: it does not run /bin/true`);
    } else {
      targets.push(target);
    }
  }
  return targets;
}

/** gVisor's runsc, from $DVISOR_PEER or fetched by the script beside the checkout; or why not. */
async function findPeer(): Promise<Target | string> {
  const given = Deno.env.get("DVISOR_PEER");
  const fetcher = `${ROOT}/../shared/peer/get-runsc`;
  const binary = given ?? `${OUT}/peer/runsc`;
  if (!existsSync(binary)) {
    if (!existsSync(fetcher)) return "no runsc in $DVISOR_PEER, and nothing to fetch it with";
    if (!await succeeds(fetcher, `${OUT}/peer`)) return "it cannot be fetched";
  }
  const flags = ["--platform=systrap", "--network=none", "--overlay2=none"];
  return {
    name: "peer",
    command: [binary, `--root=${OUT}/peer-state`, ...flags, "do", "--"],
    binary,
  };
}

function makeSetting(rows: readonly Row[], quick: boolean): Setting {
  const work = `${OUT}/work`;
  const env = { PATH: PLAIN_PATH, HOME: "/root", LANG: "C", WORK: work };
  const needed = (part: string) => rows.some(({ id }) => id.includes(part));
  ensureDirSync(work);
  writeCProject(`${work}/project`);
  if (needed("untar")) makeTar(work);
  if (needed("git_status")) makeRepository(`${work}/repository`);
  return {
    tools: OUT,
    work,
    env,
    limitSeconds: quick ? 30 : 240,
    microRounds: quick ? 3 : 7,
    microRoundMs: quick ? 10 : 100,
  };
}

function makeTar(work: string): void {
  if (existsSync(`${work}/files.tar`)) return;
  writeSmallFiles(`${work}/files`, 5000);
  must("tar", "cf", `${work}/files.tar`, "-C", `${work}/files`, ".");
  must("rm", "-rf", `${work}/files`);
}

function makeRepository(path: string): void {
  if (!existsSync(path)) {
    const unfinished = `${path}.new`;
    must("rm", "-rf", unfinished);
    writeSmallFiles(unfinished, 10_000);
    const git = (...args: string[]) =>
      must(
        "git",
        "-C",
        unfinished,
        "-c",
        "user.name=bench",
        "-c",
        "user.email=bench@localhost",
        ...args,
      );
    git("init", "-q", "-b", "main");
    git("add", "-A");
    git("commit", "-q", "-m", "Ten thousand files");
    Deno.renameSync(unfinished, path);
  }
  must("git", "-C", path, "status", "-s"); // An index that knows its files' times.
}

function must(program: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
}

async function succeeds(...argv: string[]): Promise<boolean> {
  const command = new Deno.Command("timeout", { args: ["-k", "1", "60", ...argv] });
  return (await command.output()).success;
}

// ---- What comes out

function report(results: readonly Result[], targets: readonly string[], folder: string): void {
  const machine = machineWords();
  console.log(`${machine}\n\n${table(results, targets)}`);
  const missed = results.filter((result) => reached(result) === false);
  console.log(`\n${missed.length} of ${results.length} rows miss their goal`);
  ensureDirSync(folder);
  const rows = results.map((result) => ({
    id: result.row.id,
    group: result.row.group,
    label: result.row.label,
    unit: result.row.unit,
    goal: result.row.goal?.text,
    reached: reached(result),
    ...result.columns,
  }));
  const date = new Date().toISOString().slice(0, 10);
  const json = JSON.stringify({ date, machine, targets, rows }, null, 1);
  Deno.writeTextFileSync(`${folder}/bench.json`, `${json}\n`);
  Deno.writeTextFileSync(
    `${folder}/bench.svg`,
    svg(results, targets, `${date}, ${machine}; medians; logarithmic scales`),
  );
  console.error(`bench: ${folder}/bench.json and bench.svg are written`);
}

function machineWords(): string {
  const cpu = /^model name\s*: (.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? "CPU";
  return `${navigator.hardwareConcurrency} cores of ${cpu}, Linux ${Deno.osRelease()}`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
