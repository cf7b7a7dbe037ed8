/** Why a sandbox did not start or did not end well, in one line that says what to do. */
import type { ControlEvent } from "../sentry/config.ts";
import { oneLine } from "./bytes.ts";
import { MAX_VOLUMES } from "../platform/host/spawn.ts";

/** Exit status of the command when the sandbox could not be made. */
const CANNOT_START = 125;

const EPERM = 1;
const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const EINVAL = 22;
const ENOSPC = 28;
const ENOSYS = 38;
const EUSERS = 87;
const SIGKILL = 9;
const SIGSYS = 31;

const USER_NAMESPACES = "the host does not let this user make user namespaces; allow them with " +
  "`sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0` " +
  "(whichever exists), or in a container with a seccomp profile that allows clone(CLONE_NEWUSER), " +
  "or run dvisor as root; in a chroot there are none for anybody";
const NAMESPACE_LIMIT =
  "the host's limit of user namespaces is reached; raise it with `sysctl user.max_user_namespaces=10000`";
const MOUNTS =
  "the host forbids mounting inside a new user namespace; if AppArmor restricts it, run " +
  "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`, in a container start it with " +
  "`--security-opt seccomp=unconfined --security-opt apparmor=unconfined`";

/** A line on stderr. Where nobody can have it, the exit status says the rest. */
export function complain(message: string): void {
  try {
    const bytes = new TextEncoder().encode(`dvisor: ${message}\n`);
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch { /* a full device, or a reader that went away */ }
}

export class SandboxError extends Error {
  override readonly name = "SandboxError";
  /** `code`: what the command exits with. */
  constructor(message: string, readonly code: number) {
    super(message);
  }

  /** dv_sandbox_start failed; `stage` as it says. */
  static ofSpawn(stage: number, errno: number): SandboxError {
    if (stage === 3 || stage === 4) {
      if ([EPERM, EACCES, EINVAL, ENOSYS].includes(errno)) {
        return new SandboxError(USER_NAMESPACES, CANNOT_START);
      }
      if (errno === ENOSPC || errno === EUSERS) {
        return new SandboxError(NAMESPACE_LIMIT, CANNOT_START);
      }
    }
    const what = ["", "", "resources", "clone", "id maps"][stage] ?? "start";
    return new SandboxError(`cannot start a sandbox: ${what}: errno ${errno}`, CANNOT_START);
  }

  /** A step between clone and exec failed, or dv_sandbox_mount. `mounts` are the sources of mount 0, 1, …. */
  static ofStep(
    event: Extract<ControlEvent, { type: "failed" }>,
    mounts: string[],
  ): SandboxError {
    const { step, index, errno } = event;
    const source = oneLine(mounts[index] ?? "");
    if (step === "request") {
      return new SandboxError(`a sandbox has ${MAX_VOLUMES} volumes at most`, 2);
    }
    if (step === "mount" && (errno === ENOENT || errno === ENOTDIR)) {
      return new SandboxError(`no such file or directory: ${source}`, 2);
    }
    if ((step === "mount" || step === "volume") && errno === EACCES) {
      return new SandboxError(`permission denied: ${source}`, 2);
    }
    if (step === "exec" || step === "executable") {
      return new SandboxError(
        `the dvisor executable cannot be started in the sandbox (errno ${errno}): was it moved or replaced?`,
        CANNOT_START,
      );
    }
    if (errno === ENOSYS) {
      return new SandboxError(
        `the host's kernel is too old (${step}): 5.12 or newer is needed`,
        CANNOT_START,
      );
    }
    if (errno === EPERM || errno === EACCES) {
      return new SandboxError(`${MOUNTS} (${step} ${index}: errno ${errno})`, CANNOT_START);
    }
    return new SandboxError(
      `cannot build the sandbox: ${step} ${index}: errno ${errno}`,
      CANNOT_START,
    );
  }

  /** The sandbox process ended without a word on the control socket. */
  static ofLoss(hostStatus: number, diagnostics: string): SandboxError {
    const signal = hostStatus & 0x7f;
    if (signal === SIGSYS) {
      return new SandboxError(
        "the sandbox process made a forbidden system call and was ended",
        128,
      );
    }
    const how = signal !== 0
      ? `killed by signal ${signal}${signal === SIGKILL ? ", perhaps for want of memory" : ""}`
      : `exited with ${hostStatus >> 8 & 0xff}`;
    const report = diagnostics === "" ? "" : `; it wrote:\n${diagnostics}`;
    return new SandboxError(`the sandbox process ended unexpectedly (${how})${report}`, 128);
  }
}
