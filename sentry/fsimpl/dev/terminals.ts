/** Terminals by device number: /dev/tty, /dev/console, and /dev/ptmx outside of a devpts. */
import { EIO, ENXIO } from "../../../platform/abi/errno.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { charDevices } from "../../vfs/special.ts";
import { DevptsFilesystem, PTY_MAX } from "../devpts/filesystem.ts";
import { openSlave } from "../devpts/slave.ts";
import { Tty } from "../devpts/tty.ts";
import { currentTask } from "../kernfs/caller.ts";

const TTYAUX_MAJOR = 5;
/** Group "tty" of every distribution. */
const TTY_GID = 5;

/** The terminals of a kernel: the devpts that boot mounts, and the console. */
export class Terminals {
  readonly devpts: DevptsFilesystem;
  /** What /dev/console opens; null without a terminal on the host's side. */
  console: Tty | null = null;

  constructor(kernel: Kernel) {
    this.devpts = new DevptsFilesystem(kernel, {
      uid: -1,
      gid: TTY_GID,
      mode: 0o620,
      ptmxMode: 0o666,
      max: PTY_MAX,
    });
  }
}

const terminals = new WeakMap<Kernel, Terminals>();

/** The terminals of `kernel`, made when first asked for. */
export function terminalsOf(kernel: Kernel): Terminals {
  let found = terminals.get(kernel);
  if (found === undefined) terminals.set(kernel, found = new Terminals(kernel));
  return found;
}

export function registerTerminals(kernel: Kernel): void {
  charDevices.register(TTYAUX_MAJOR, 0, {
    open(file) {
      const tty = currentTask()?.tg.pgrp.session.tty;
      return tty instanceof Tty ? openSlave(tty, file, false) : -ENXIO;
    },
  });
  charDevices.register(TTYAUX_MAJOR, 1, {
    open(file) {
      const tty = terminalsOf(kernel).console;
      return tty === null ? -EIO : openSlave(tty, file, false);
    },
  });
  charDevices.register(TTYAUX_MAJOR, 2, {
    open: (file) => terminalsOf(kernel).devpts.openMaster(file),
  });
}
