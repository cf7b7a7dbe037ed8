/** Terminals by device number: /dev/tty, /dev/console, and /dev/ptmx outside of a devpts. */
import { EIO, ENXIO } from "../../../platform/abi/errno.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { FileDescription } from "../../vfs/file.ts";
import { charDevices } from "../../vfs/special.ts";
import { DevptsFilesystem, PTY_MAX } from "../devpts/filesystem.ts";
import { openSlave } from "../devpts/slave.ts";
import { Tty } from "../devpts/tty.ts";
import { CallerInput } from "../host/caller_input.ts";
import { currentTask } from "../kernfs/caller.ts";

const TTYAUX_MAJOR = 5;
/** Group "tty" of every distribution. */
const TTY_GID = 5;

/** The terminals of a kernel: the devpts that boot mounts, and the console. */
export class Terminals {
  readonly devpts: DevptsFilesystem;
  /** What is typed on the terminal of the host's side. */
  readonly input: CallerInput;
  /** What /dev/console opens; null without a terminal on the host's side. */
  console: Tty | null = null;
  /** A terminal of the host among the standard streams: without a console, /dev/tty of init's session. */
  #host: FileDescription | null = null;

  constructor(kernel: Kernel) {
    this.input = new CallerInput(kernel);
    this.devpts = new DevptsFilesystem(kernel, {
      uid: -1,
      gid: TTY_GID,
      mode: 0o620,
      ptmxMode: 0o666,
      max: PTY_MAX,
    });
  }

  /** The first one counts, and is kept open. */
  setHostTerminal(file: FileDescription): void {
    if (this.#host !== null) return;
    file.acquire();
    this.#host = file;
  }

  /** Opens `file` on the host's terminal. Returns 0 or -ENXIO. */
  openHost(file: FileDescription): number {
    if (this.#host === null) return -ENXIO;
    file.impl = this.#host.impl;
    return 0;
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
      const tg = currentTask()?.tg;
      if (tg?.tty instanceof Tty) return openSlave(tg.tty, file, false);
      return tg?.pgrp.session.leader?.isInit ? terminalsOf(kernel).openHost(file) : -ENXIO;
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
