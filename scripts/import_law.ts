// Checks who may import whom, one line per violation; exit status 1 if there is any.
// The two tables below are the law.
import { walkSync } from "@std/fs";

/** What the files below a folder may import, besides their own folder. The longest prefix rules. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  "mod.ts": ["runtime", "sentry", "platform"],
  "runtime": ["sentry", "gofer", "platform"],
  "sentry": ["platform", "gofer/protocol"],
  "gofer": ["platform/abi", "platform/host"],
  "gofer/protocol": ["platform/abi"],
  "platform": [],
  "platform/abi": [],
  "platform/arch": ["platform/abi"],
};

/** The same between the folders of sentry/. Files right in sentry/ may import all of them. */
const LEAVES = ["arch", "auth", "wait"];
const BELOW_SYSCALLS = [...LEAVES, "mm", "vfs", "kernel", "loader", "fsimpl", "socket"];
const SENTRY_MAY_IMPORT: Record<string, readonly string[]> = {
  arch: [],
  auth: [],
  wait: [],
  mm: [...LEAVES, "vfs"],
  vfs: LEAVES,
  loader: [...LEAVES, "mm", "vfs"],
  kernel: [...LEAVES, "mm", "vfs", "loader"],
  fsimpl: [...LEAVES, "mm", "vfs", "kernel"],
  socket: [...LEAVES, "mm", "vfs", "kernel", "fsimpl"],
  strace: [...LEAVES, "mm", "vfs", "kernel"],
  syscalls: BELOW_SYSCALLS,
  boot: [...BELOW_SYSCALLS, "syscalls", "strace", "config.ts"],
};

const DLOPEN_FILE = "platform/host/library.ts";
const NATIVE_FOLDER = "platform/native/";
const TOP_LEVEL = ["mod.ts", "runtime", "sentry", "gofer", "platform"];
const VAGUE_NAMES = /^(utils?|helpers?|common|types|misc)(\.ts)?$/;
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^;"']*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;

interface Import {
  from: string;
  to: string;
}

/** The violations in the source tree at `root`. */
export function violations(root: string): string[] {
  const found: string[] = [];
  const imports: Import[] = [];
  for (const top of TOP_LEVEL) {
    for (const path of sourceFiles(root, top)) {
      checkPlace(path, found);
      if (!path.endsWith(".ts")) continue;
      const text = withoutComments(Deno.readTextFileSync(`${root}/${path}`));
      if (path !== DLOPEN_FILE && /\bDeno\s*\.\s*dlopen\b/.test(text)) {
        found.push(`${path}: Deno.dlopen is called in ${DLOPEN_FILE} alone`);
      }
      if (!path.endsWith("_test.ts")) imports.push(...localImports(path, text, found));
    }
  }
  for (const each of imports) checkImport(each, found);
  found.push(...folderCycles(imports));
  return found;
}

function* sourceFiles(root: string, top: string): Generator<string> {
  try {
    Deno.lstatSync(`${root}/${top}`);
  } catch {
    return; // Not written yet.
  }
  for (const entry of walkSync(`${root}/${top}`)) {
    if (entry.isFile) yield entry.path.slice(root.length + 1);
  }
}

function checkPlace(path: string, found: string[]): void {
  if (/\.([chS]|ld|cc|cpp)$/.test(path) && !path.startsWith(NATIVE_FOLDER)) {
    found.push(`${path}: C and assembly live below ${NATIVE_FOLDER}`);
  }
  const vague = path.split("/").find((part) => VAGUE_NAMES.test(part));
  if (vague !== undefined) found.push(`${path}: "${vague}" says nothing; name the idea`);
}

function localImports(path: string, text: string, found: string[]): Import[] {
  const imports: Import[] = [];
  for (const match of text.matchAll(IMPORT)) {
    const specifier = match[1] ?? match[2];
    if (specifier.startsWith(".")) {
      imports.push({ from: path, to: new URL(specifier, `file:///${path}`).pathname.slice(1) });
    } else if (!specifier.startsWith("@std/") && !specifier.startsWith("node:")) {
      found.push(
        `${path}: imports "${specifier}", which deno.json's import map should name @std/…`,
      );
    }
  }
  return imports;
}

function checkImport({ from, to }: Import, found: string[]): void {
  const rule = ruleFor(from);
  const own = rule === undefined || isBelow(to, rule);
  if (!own && !MAY_IMPORT[rule].some((allowed) => isBelow(to, allowed) || isFace(to, allowed))) {
    found.push(`${from}: may not import ${to} (${rule} may import: ${list(MAY_IMPORT[rule])})`);
    return;
  }
  const fromFolder = sentryPart(from);
  const toFolder = sentryPart(to);
  if (fromFolder === undefined || fromFolder.endsWith(".ts")) return;
  if (toFolder === undefined || fromFolder === toFolder) return;
  const allowed = SENTRY_MAY_IMPORT[fromFolder];
  if (allowed === undefined) {
    found.push(`${from}: sentry/${fromFolder} has no row in scripts/import_law.ts`);
  } else if (!allowed.includes(toFolder)) {
    found.push(`${from}: may not import ${to} (sentry/${fromFolder} may import: ${list(allowed)})`);
  }
}

function ruleFor(path: string): string | undefined {
  return Object.keys(MAY_IMPORT)
    .filter((prefix) => isBelow(path, prefix))
    .sort((a, b) => b.length - a.length)[0];
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** gofer/protocol may be one file as well as a folder. */
function isFace(path: string, folder: string): boolean {
  return path === `${folder}.ts`;
}

/** The folder of sentry/ that a file is in, or the file's name when it is in none. */
function sentryPart(path: string): string | undefined {
  return /^sentry\/([^/]+)/.exec(path)?.[1];
}

/** platform/abi, sentry/vfs, runtime …: what a cycle is counted between. */
function folderOf(path: string): string {
  const parts = path.split("/");
  if (parts[0] === "sentry" || (parts[0] === "platform" && parts.length > 2)) {
    return `${parts[0]}/${parts[1]}`;
  }
  if (isBelow(path, "gofer/protocol") || isFace(path, "gofer/protocol")) return "gofer/protocol";
  return parts[0];
}

function folderCycles(imports: Import[]): string[] {
  const edges = new Map<string, Map<string, Import>>();
  for (const each of imports) {
    const from = folderOf(each.from);
    const to = folderOf(each.to);
    if (from === to) continue;
    if (!edges.has(from)) edges.set(from, new Map());
    if (!edges.get(from)!.has(to)) edges.get(from)!.set(to, each);
  }
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (folder: string, trail: string[]) => {
    const start = trail.indexOf(folder);
    if (start >= 0) {
      const ring = [...trail.slice(start), folder];
      const steps = ring.slice(1).map((to, i) => edges.get(ring[i])!.get(to)!);
      const proof = steps.map((step) => `${step.from} imports ${step.to}`).join("; ");
      found.push(`${ring.join(" -> ")}: folders import each other (${proof})`);
      return;
    }
    if (done.has(folder)) return;
    for (const to of edges.get(folder)?.keys() ?? []) visit(to, [...trail, folder]);
    done.add(folder);
  };
  for (const folder of edges.keys()) visit(folder, []);
  return found;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1");
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "nothing" : names.join(", ");
}

if (import.meta.main) {
  const found = violations(new URL("..", import.meta.url).pathname.replace(/\/$/, ""));
  for (const line of found) console.log(line);
  Deno.exit(found.length > 0 ? 1 : 0);
}
