/** ioctl(2) of terminals: ioctl_tty(2). Most act on the terminal whichever side they are asked from. */
import { CAP_SYS_ADMIN } from "../../../platform/abi/capability.ts";
import { EFAULT, EINVAL, EIO, ENOTTY, EPERM } from "../../../platform/abi/errno.ts";
import * as io from "../../../platform/abi/ioctl.ts";
import { SIGINT, SIGQUIT, SIGTSTP } from "../../../platform/abi/signal.ts";
import {
  CLOCAL,
  getTermios,
  getWinsize,
  putWinsize,
  TCIFLUSH,
  TCIOFF,
  TCIOFLUSH,
  TCION,
  TCOFLUSH,
  TCOOFF,
  TCOON,
  TERMIOS_SIZE,
  VSTART,
  VSTOP,
  WINSIZE_SIZE,
} from "../../../platform/abi/termios.ts";
import { hasCapability } from "../../auth/credentials.ts";
import type { Task } from "../../kernel/task.ts";
import type { FileDescription } from "../../vfs/file.ts";
import { KernelSrc } from "../../vfs/kernel_io.ts";
import {
  checkChange,
  giveUpTty,
  isControlling,
  setControllingTty,
  setForeground,
  signalGroup,
} from "./job_control.ts";
import { BY_TCFLOW } from "./line_discipline.ts";
import type { MasterFile } from "./master.ts";
import {
  copyTermios,
  decodeTermios,
  encodeTermios,
  FORM_TERMIO,
  FORM_TERMIOS,
  FORM_TERMIOS2,
  keepCharacterSize,
  keepLocked,
  termiosSize,
} from "./termios.ts";
import type { Tty } from "./tty.ts";

/** ^S and ^Q. */
const XOFF = 0x13;
const XON = 0x11;

const bytes = new Uint8Array(64);
const view = new DataView(bytes.buffer);

export function slaveIoctl(
  tty: Tty,
  f: FileDescription,
  t: Task,
  cmd: number,
  arg: number,
): number | Promise<number> {
  switch (cmd) {
    case io.FIONREAD:
      return putInt(t, arg, tty.discipline.inputQueued());
    case io.TIOCSCTTY:
      return setControllingTty(t, tty, f, arg);
    case io.TIOCNOTTY:
      return giveUpTty(t, tty);
    case io.TIOCGPGRP:
    case io.TIOCGSID:
      if (!isControlling(t, tty)) return -ENOTTY;
      return commonIoctl(tty, t, cmd, arg);
    case io.TIOCSTI:
      return injectInput(tty, t, arg);
    case io.TCXONC:
      return flowControl(tty, t, arg);
    case io.TIOCGPTPEER:
      return -EIO;
    default:
      return commonIoctl(tty, t, cmd, arg);
  }
}

export function masterIoctl(
  m: MasterFile,
  f: FileDescription,
  t: Task,
  cmd: number,
  arg: number,
): number | Promise<number> {
  const tty = m.tty;
  switch (cmd) {
    case io.FIONREAD:
      return putInt(t, arg, tty.output.size);
    case io.TIOCGPTN:
      return putInt(t, arg, tty.index);
    case io.TIOCSPTLCK: {
      const err = getInt(t, arg);
      if (err < 0) return err;
      tty.locked = view.getInt32(0, true) !== 0;
      return 0;
    }
    case io.TIOCGPTLCK:
      return putInt(t, arg, tty.locked ? 1 : 0);
    case io.TIOCPKT: {
      const err = getInt(t, arg);
      if (err < 0) return err;
      const on = view.getInt32(0, true) !== 0;
      if (on && !tty.packet) tty.packetStatus = 0;
      tty.packet = on;
      return 0;
    }
    case io.TIOCGPKT:
      return putInt(t, arg, tty.packet ? 1 : 0);
    case io.TIOCGPTPEER:
      return m.fs.openPeer(t, tty, arg);
    case io.TIOCSIG:
      if (arg !== SIGINT && arg !== SIGQUIT && arg !== SIGTSTP) return -EINVAL;
      if (tty.foreground !== null) signalGroup(t.kernel, tty.foreground, arg);
      return 0;
    case io.TIOCSCTTY:
      return setControllingTty(t, tty, f, arg);
    case io.TCFLSH:
      if (arg !== TCIFLUSH && arg !== TCOFLUSH && arg !== TCIOFLUSH) return -EINVAL;
      tty.flushMaster(arg !== TCOFLUSH, arg !== TCIFLUSH);
      return 0;
    case io.TIOCSTI: {
      if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
      const err = t.copyIn(arg, bytes, 0, 1);
      if (err === 0) tty.injectOutput(bytes[0]);
      return err;
    }
    case io.TCXONC:
      return masterFlowControl(m, arg);
    case io.TIOCNOTTY:
      return -ENOTTY;
    default:
      return commonIoctl(tty, t, cmd, arg);
  }
}

function commonIoctl(tty: Tty, t: Task, cmd: number, arg: number): number | Promise<number> {
  switch (cmd) {
    case io.TCGETS:
      return getAttributes(tty, t, arg, FORM_TERMIOS);
    case io.TCGETS2:
      return getAttributes(tty, t, arg, FORM_TERMIOS2);
    case io.TCGETA:
      return getAttributes(tty, t, arg, FORM_TERMIO);
    case io.TCSETS:
    case io.TCSETSW:
    case io.TCSETSF:
      return setAttributes(tty, t, arg, FORM_TERMIOS, cmd === io.TCSETSF);
    case io.TCSETS2:
    case io.TCSETSW2:
    case io.TCSETSF2:
      return setAttributes(tty, t, arg, FORM_TERMIOS2, cmd === io.TCSETSF2);
    case io.TCSETA:
    case io.TCSETAW:
    case io.TCSETAF:
      return setAttributes(tty, t, arg, FORM_TERMIO, cmd === io.TCSETAF);
    case io.TIOCGLCKTRMIOS:
      encodeTermios(view, FORM_TERMIOS, tty.termiosLocked);
      return t.copyOut(arg, bytes, 0, TERMIOS_SIZE);
    case io.TIOCSLCKTRMIOS: {
      if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
      const err = t.copyIn(arg, bytes, 0, TERMIOS_SIZE);
      if (err < 0) return err;
      getTermios(view, 0, tty.termiosLocked);
      return 0;
    }
    case io.TIOCGSOFTCAR:
      return putInt(t, arg, (tty.discipline.termios.cflag & CLOCAL) !== 0 ? 1 : 0);
    case io.TIOCSSOFTCAR: {
      const err = getInt(t, arg);
      if (err < 0) return err;
      const bit = view.getInt32(0, true) !== 0 ? CLOCAL : 0;
      tty.changeTermios((s) => s.cflag = ((s.cflag & ~CLOCAL) | bit) >>> 0);
      return 0;
    }
    case io.TCSBRK:
    case io.TCSBRKP:
    case io.TIOCSBRK:
    case io.TIOCCBRK:
      return checkChange(t, tty); // Nothing to break, and output is the master's at once.
    case io.TCXONC:
      return flowControl(tty, t, arg);
    case io.TCFLSH: {
      const err = checkChange(t, tty);
      if (err < 0) return err;
      if (arg !== TCIFLUSH && arg !== TCOFLUSH && arg !== TCIOFLUSH) return -EINVAL;
      tty.flush(arg !== TCOFLUSH, arg !== TCIFLUSH);
      return 0;
    }
    case io.TIOCOUTQ:
      return putInt(t, arg, 0); // Linux: a pty has no output buffer of its own.
    case io.TIOCGWINSZ:
      putWinsize(view, 0, tty.row, tty.col, tty.xpixel, tty.ypixel);
      return t.copyOut(arg, bytes, 0, WINSIZE_SIZE);
    case io.TIOCSWINSZ: {
      const err = t.copyIn(arg, bytes, 0, WINSIZE_SIZE);
      if (err < 0) return err;
      const size = getWinsize(view, 0);
      tty.setWinsize(size.row, size.col, size.xpixel, size.ypixel);
      return 0;
    }
    case io.TIOCGPGRP:
      return putInt(t, arg, tty.foreground?.id ?? 0);
    case io.TIOCSPGRP: {
      let err = checkChange(t, tty);
      if (err < 0) return err === -EIO ? -ENOTTY : err;
      err = getInt(t, arg);
      return err < 0 ? err : setForeground(t, tty, view.getInt32(0, true));
    }
    case io.TIOCGSID:
      return tty.session === null ? -ENOTTY : putInt(t, arg, tty.session.id);
    case io.TIOCEXCL:
      tty.exclusive = true;
      return 0;
    case io.TIOCNXCL:
      tty.exclusive = false;
      return 0;
    case io.TIOCGEXCL:
      return putInt(t, arg, tty.exclusive ? 1 : 0);
    case io.TIOCGETD:
      return putInt(t, arg, 0);
    case io.TIOCSETD: {
      let err = checkChange(t, tty);
      if (err < 0) return err;
      err = getInt(t, arg);
      return err < 0 ? err : view.getInt32(0, true) === 0 ? 0 : -EINVAL;
    }
    case io.TIOCGDEV:
      return putInt(t, arg, tty.rdev);
    case io.TIOCVHANGUP:
      if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
      tty.hangup();
      return 0;
    default:
      return -ENOTTY;
  }
}

function getAttributes(tty: Tty, t: Task, arg: number, form: number): number {
  encodeTermios(view, form, tty.discipline.termios);
  return t.copyOut(arg, bytes, 0, termiosSize(form));
}

function setAttributes(tty: Tty, t: Task, arg: number, form: number, flush: boolean): number {
  const changeErr = checkChange(t, tty);
  if (changeErr < 0) return changeErr;
  const err = t.copyIn(arg, bytes, 0, termiosSize(form));
  if (err < 0) return -EFAULT;
  if (flush) tty.flush(true, false);
  const old = copyTermios(tty.discipline.termios);
  tty.changeTermios((s) => {
    decodeTermios(view, form, s);
    keepLocked(s, old, tty.termiosLocked);
    keepCharacterSize(s);
  });
  return 0;
}

/** TCXONC, tcflow(3). */
function flowControl(tty: Tty, t: Task, arg: number): number {
  const err = checkChange(t, tty);
  if (err < 0) return err;
  const cc = tty.discipline.termios.cc;
  switch (arg) {
    case TCOOFF:
      tty.discipline.stop(BY_TCFLOW);
      return 0;
    case TCOON:
      tty.discipline.start(BY_TCFLOW);
      return 0;
    case TCIOFF:
    case TCION: {
      const c = arg === TCIOFF ? cc[VSTOP] : cc[VSTART];
      if (c !== 0) tty.sendFlowCharacter(c);
      return 0;
    }
    default:
      return -EINVAL;
  }
}

/**
 * TCXONC of the master's own side: its writes are held, or its stop and start characters, which nothing
 * changes, go to the slave as if they were typed.
 */
function masterFlowControl(m: MasterFile, arg: number): number {
  switch (arg) {
    case TCOOFF:
      m.tty.holdInput(true);
      return 0;
    case TCOON:
      m.tty.holdInput(false);
      return 0;
    case TCIOFF:
    case TCION:
      bytes[0] = arg === TCIOFF ? XOFF : XON;
      m.tty.receive(new KernelSrc(bytes, 0, 1), true);
      return 0;
    default:
      return -EINVAL;
  }
}

/** TIOCSTI: a byte as if it were typed. */
function injectInput(tty: Tty, t: Task, arg: number): number {
  if (!isControlling(t, tty) && !hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  const err = t.copyIn(arg, bytes, 0, 1);
  if (err < 0) return err;
  tty.inject(bytes[0]);
  return 0;
}

function putInt(t: Task, addr: number, value: number): number {
  view.setInt32(0, value, true);
  return t.copyOut(addr, bytes, 0, 4);
}

/** Reads an int into `view`. */
function getInt(t: Task, addr: number): number {
  return t.copyIn(addr, bytes, 0, 4);
}
