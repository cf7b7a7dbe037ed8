/** The flags of `dvisor do` as options of a sandbox. */
import { bytesToString } from "./bytes.ts";
import { type Parsed, UsageError } from "./flags.ts";
import type { SandboxOptions, Volume } from "./sandbox.ts";

/** What the flags and operands of `do` ask for; throws a UsageError for what they must not. */
export function makeOptions(parsed: Parsed): SandboxOptions {
  if (parsed.operands.length === 0) throw new UsageError("do needs a command to run");
  const hostCwd = Deno.cwd();
  const root = parsed.get("root");
  const volumes = parsed.all("volume").map((text) => parseVolume(text, hostCwd));
  if (parsed.has("rw")) volumes.unshift({ source: hostCwd, target: hostCwd, writable: true });
  if (root !== undefined) checkDirectory("root", root);
  const cwdIsVisible = root === undefined || parsed.has("rw");
  return {
    command: parsed.operands,
    root: root === undefined ? "/" : absolute(root, hostCwd),
    cwd: parseGuestPath("cwd", parsed.get("cwd")) ?? (cwdIsVisible ? hostCwd : "/"),
    env: makeEnv(parsed.all("env")),
    user: parseUser(parsed.get("user")),
    volumes,
    hostname: parseHostname(parsed.get("hostname")),
    platform: parseChoice(parsed, "platform", ["systrap", "ptrace"]),
    strace: parseStrace(parsed.get("strace")),
    debugLog: parseLogDirectory(parsed.get("debug-log")),
    logFormat: parseChoice(parsed, "log-format", ["text", "json"]),
  };
}

function absolute(path: string, cwd: string): string {
  return path.startsWith("/") ? path : `${cwd === "/" ? "" : cwd}/${path}`;
}

function checkDirectory(flag: string, path: string): void {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
    if (info.isDirectory) Deno.statSync(`${path}/.`); // May it be entered?
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new UsageError(`--${flag}: no such directory: ${path || "(empty)"}`);
    }
    throw new UsageError(`--${flag}: ${(error as Error).message}`);
  }
  if (!info.isDirectory) throw new UsageError(`--${flag}: not a directory: ${path}`);
}

function parseGuestPath(flag: string, path: string | undefined): string | undefined {
  if (path !== undefined && !path.startsWith("/")) {
    throw new UsageError(`--${flag} must be an absolute path, not ${path || "empty"}`);
  }
  return path;
}

function parseVolume(text: string, cwd: string): Volume {
  const parts = text.split(":");
  const mode = parts.length === 3 ? parts[2] : "ro";
  if (parts.length < 2 || parts.length > 3 || parts[0] === "" || (mode !== "ro" && mode !== "rw")) {
    throw new UsageError(`--volume is SRC:DST[:ro|:rw], not ${text || "empty"}`);
  }
  const source = absolute(parts[0], cwd);
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(source);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "no such file or directory"
      : (error as Error).message;
    throw new UsageError(`--volume: ${why}: ${source}`);
  }
  // The host's devices are none of the sandbox's, and its sockets and FIFOs lead nowhere from there.
  if (!info.isDirectory && !info.isFile) {
    throw new UsageError(`--volume: neither a directory nor a regular file: ${source}`);
  }
  return { source, target: parseGuestPath("volume's DST", parts[1])!, writable: mode === "rw" };
}

function makeEnv(changes: string[]): Record<string, string> {
  const env = ownEnv();
  for (const change of changes) {
    const at = change.indexOf("=");
    if (change === "" || at === 0) throw new UsageError(`--env is K=V, not ${change || "empty"}`);
    if (at < 0) delete env[change];
    else env[change.slice(0, at)] = change.slice(at + 1);
  }
  return env;
}

/** In its order, and with values that are not UTF-8, which Deno.env leaves out. */
function ownEnv(): Record<string, string> {
  const env: Record<string, string> = {};
  const bytes = Deno.readFileSync("/proc/self/environ");
  for (let from = 0, to; from < bytes.length; from = to + 1) {
    to = bytes.indexOf(0, from);
    if (to < 0) to = bytes.length;
    const entry = bytesToString(bytes.subarray(from, to));
    const at = entry.indexOf("=");
    if (at > 0) env[entry.slice(0, at)] = entry.slice(at + 1);
  }
  return env;
}

const MAX_ID = 0xfffffffe;

function parseUser(text: string | undefined): { uid: number; gid: number } | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  const uid = Number(match?.[1]);
  const gid = Number(match?.[2] ?? match?.[1]);
  if (match === null || uid > MAX_ID || gid > MAX_ID) {
    throw new UsageError(`--user is UID[:GID] in numbers, not ${text || "empty"}`);
  }
  return { uid, gid };
}

function parseHostname(name: string | undefined): string {
  if (name === undefined) return Deno.hostname();
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) {
    throw new UsageError(
      `--hostname is 1 to 64 letters, digits, dots, dashes or underscores, not ${name || "empty"}`,
    );
  }
  return name;
}

function parseStrace(names: string | undefined): boolean | string[] | undefined {
  if (names === undefined) return undefined;
  return names === "" ? true : names.split(",");
}

function parseLogDirectory(path: string | undefined): string | undefined {
  if (path === "") throw new UsageError("--debug-log is a directory, not empty");
  return path;
}

function parseChoice<T extends string>(
  parsed: Parsed,
  flag: string,
  choices: readonly T[],
): T | undefined {
  const value = parsed.get(flag);
  if (value === undefined) return undefined;
  if (!(choices as readonly string[]).includes(value)) {
    throw new UsageError(`--${flag} is ${choices.join(" or ")}, not ${value || "empty"}`);
  }
  return value as T;
}
