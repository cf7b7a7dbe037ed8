/** Hooks by which the kernel reaches what lies above it. */
import type { Kernel } from "../kernel/kernel.ts";
import { installPidFiles } from "../fsimpl/anon/pidfd.ts";
import { openFifo } from "../fsimpl/pipe/mod.ts";
import { setFifoOpener } from "../vfs/special.ts";

export function installKernelParts(kernel: Kernel): void {
  installPidFiles(kernel);
  setFifoOpener(openFifo);
}
