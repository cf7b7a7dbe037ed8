/** Numbers for tasks (Linux: kernel/pid.c): ascending, wrapping at pid_max, never one in use. */

/** Linux's RESERVED_PIDS: after the first wrap, low numbers are left to daemons of early boot. */
const RESERVED_PIDS = 300;
export const PID_MAX_DEFAULT = 32768;
export const PID_MAX_LIMIT = 4194304;

export class PidAllocator {
  #last = 0;

  /** `isUsed` tells whether a number still names a task, process group or session. */
  constructor(private readonly isUsed: (pid: number) => boolean, public pidMax = PID_MAX_DEFAULT) {}

  /** The next free number below `pidMax`, or 0 when there is none. */
  allocate(): number {
    let pid = this.#last + 1;
    let wrapped = false;
    for (;;) {
      if (pid >= this.pidMax) {
        if (wrapped) return 0;
        wrapped = true;
        pid = Math.min(RESERVED_PIDS, this.pidMax - 1);
      }
      if (!this.isUsed(pid)) {
        this.#last = pid;
        return pid;
      }
      pid++;
    }
  }
}
