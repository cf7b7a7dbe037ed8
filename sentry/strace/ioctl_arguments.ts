/** ioctl(2): requests by name, and the operands of the common ones. */
import * as ioctl from "../../platform/abi/ioctl.ts";
import * as pidfd from "../../platform/abi/pidfd.ts";
import * as termios from "../../platform/abi/termios.ts";
import { hexOf, pointer } from "./call.ts";
import {
  type Argument,
  given,
  int32,
  showBoxed,
  showStruct,
  type Struct,
  uint32,
} from "./arguments.ts";
import { choiceOf, flagsOf, namesOf } from "./names.ts";

const requests = choiceOf(
  namesOf(ioctl, /^(TC|TIOC(?!PKT_)|FIO|FI[A-Z]+$|SIOC|FS_IOC|BLK|NS_GET|RND)/)
    // Terminals and sockets share two numbers with others of another name.
    .filter(({ name }) => !["TIOCINQ", "SIOCINQ", "SIOCOUTQ"].includes(name))
    .concat(namesOf(pidfd, /^PIDFD_GET_.*_NAMESPACE$/)),
);
export const request = given((c, i) => requests(c.args.u32(i)));

const terminal: Struct = {
  size: termios.TERMIOS_SIZE,
  show: (v, off) => {
    const word = (at: number) => v.getUint32(off + at, true);
    return `{c_iflag=${inputFlags(word(termios.TERMIOS_OFF_IFLAG))}, ` +
      `c_oflag=${hexOf(word(termios.TERMIOS_OFF_OFLAG))}, ` +
      `c_cflag=${hexOf(word(termios.TERMIOS_OFF_CFLAG))}, ` +
      `c_lflag=${localFlags(word(termios.TERMIOS_OFF_LFLAG))}, ...}`;
  },
};
const inputFlags = flagsOf(namesOf(
  termios,
  /^(IGNBRK|BRKINT|IGNPAR|PARMRK|INPCK|ISTRIP|INLCR|IGNCR|ICRNL|IUCLC|IXON|IXANY|IXOFF|IMAXBEL|IUTF8)$/,
));
const localFlags = flagsOf(namesOf(
  termios,
  /^(ISIG|ICANON|XCASE|ECHO|ECHOE|ECHOK|ECHONL|NOFLSH|TOSTOP|ECHOCTL|ECHOPRT|ECHOKE|FLUSHO|PENDIN|IEXTEN|EXTPROC)$/,
));
const windowSize: Struct = {
  size: termios.WINSIZE_SIZE,
  show: (v, off) => {
    const w = termios.getWinsize(v, off);
    return `{ws_row=${w.row}, ws_col=${w.col}, ws_xpixel=${w.xpixel}, ws_ypixel=${w.ypixel}}`;
  },
};

const STRUCTS = new Map<number, Struct>([
  [ioctl.TCGETS, terminal],
  [ioctl.TCSETS, terminal],
  [ioctl.TCSETSW, terminal],
  [ioctl.TCSETSF, terminal],
  [ioctl.TIOCGLCKTRMIOS, terminal],
  [ioctl.TIOCSLCKTRMIOS, terminal],
  [ioctl.TIOCGWINSZ, windowSize],
  [ioctl.TIOCSWINSZ, windowSize],
]);
const NUMBERS = new Map<number, Struct>([
  [ioctl.FIONREAD, int32],
  [ioctl.FIONBIO, int32],
  [ioctl.FIOASYNC, int32],
  [ioctl.TIOCGPGRP, int32],
  [ioctl.TIOCSPGRP, int32],
  [ioctl.TIOCGSID, int32],
  [ioctl.TIOCGPTN, uint32],
  [ioctl.TIOCSPTLCK, int32],
  [ioctl.TIOCOUTQ, int32],
  [ioctl.TIOCGSOFTCAR, int32],
  [ioctl.TIOCSSOFTCAR, int32],
]);
const NOTHING = [ioctl.FIOCLEX, ioctl.FIONCLEX, ioctl.TIOCNOTTY];

export const operand: Argument = {
  late: true,
  show: (c, i) => {
    const request = c.args.u32(i - 1);
    const addr = c.args.addr(i);
    if (NOTHING.includes(request)) return null;
    const type = STRUCTS.get(request);
    if (type !== undefined) return c.result < 0 ? pointer(addr) : showStruct(c, addr, type);
    const number = NUMBERS.get(request);
    if (number !== undefined) return c.result < 0 ? pointer(addr) : showBoxed(c, addr, number);
    return c.hex(i);
  },
};
