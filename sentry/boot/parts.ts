/** Hooks by which the kernel reaches what lies above it. */
import type { Kernel } from "../kernel/kernel.ts";
import { installPidFiles } from "../fsimpl/anon/pidfd.ts";
import { openFifo } from "../fsimpl/pipe/mod.ts";
import { netTableHead, setNetText, setSystemText } from "../fsimpl/proc/mod.ts";
import { unixSocketsText } from "../socket/unix/unix.ts";
import { locksText } from "../vfs/locks.ts";
import { setFifoOpener } from "../vfs/special.ts";

export function installKernelParts(kernel: Kernel): void {
  installPidFiles(kernel);
  setFifoOpener(openFifo);
  setSystemText("locks", locksText);
  setNetText("unix", () => netTableHead("unix") + unixSocketsText());
}
