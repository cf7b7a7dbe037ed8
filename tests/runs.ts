// One command, natively and in a sandbox on each platform, to compare.
import { DVISOR, type Result } from "./sandbox.ts";
import { PLAIN_PATH } from "./workloads.ts";

export type { Result };

export interface Surroundings {
  cwd?: string;
  env?: Record<string, string>;
  /** Then it is killed, and its exit status is 137. */
  limitSeconds?: number;
}

/** The platforms to test, each with the words that run a command on it. */
export function sandboxed(): { platform: string; command: string[] }[] {
  const platforms = Deno.env.get("DVISOR_PLATFORMS") ?? "systrap,ptrace";
  return platforms.split(",").map((platform) => ({
    platform,
    command: [DVISOR, "do", "--platform", platform, "--"],
  }));
}

/** Runs a command to its end without input, in an environment that is the same everywhere. */
export async function run(argv: string[], surroundings: Surroundings = {}): Promise<Result> {
  const { cwd = "/tmp", env = {}, limitSeconds = 100 } = surroundings;
  const { code, stdout, stderr } = await new Deno.Command("timeout", {
    args: ["-s", "KILL", String(limitSeconds), ...argv],
    cwd,
    env: { PATH: PLAIN_PATH, HOME: "/root", LANG: "C.UTF-8", TERM: "dumb", ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
