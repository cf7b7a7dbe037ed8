/** Terminal attributes: defaults, and the three layouts of the ioctls (termios, termios2, termio). */
import {
  B38400,
  CREAD,
  CS8,
  CSIZE,
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  getTermios,
  getTermios2,
  ICANON,
  ICRNL,
  IEXTEN,
  ISIG,
  IXON,
  NCCS,
  ONLCR,
  OPOST,
  PARENB,
  putTermios,
  putTermios2,
  TERMIO_OFF_CC,
  TERMIO_OFF_CFLAG,
  TERMIO_OFF_IFLAG,
  TERMIO_OFF_LFLAG,
  TERMIO_OFF_LINE,
  TERMIO_OFF_OFLAG,
  TERMIO_SIZE,
  type Termios,
  TERMIOS2_SIZE,
  TERMIOS_SIZE,
  VDISCARD,
  VEOF,
  VERASE,
  VINTR,
  VKILL,
  VLNEXT,
  VMIN,
  VQUIT,
  VREPRINT,
  VSTART,
  VSTOP,
  VSUSP,
  VWERASE,
} from "../../../platform/abi/termios.ts";

const DEFAULT_SPEED = 38400;
/** Control characters in struct termio. */
const NCC = 8;

/** Which C structure carries the attributes. */
export const FORM_TERMIOS = 0;
export const FORM_TERMIOS2 = 1;
export const FORM_TERMIO = 2;

/** tty_std_termios as a pty slave has it. */
export function defaultTermios(): Termios {
  const cc = new Uint8Array(NCCS);
  cc[VINTR] = 3;
  cc[VQUIT] = 28;
  cc[VERASE] = 127;
  cc[VKILL] = 21;
  cc[VEOF] = 4;
  cc[VMIN] = 1;
  cc[VSTART] = 17;
  cc[VSTOP] = 19;
  cc[VSUSP] = 26;
  cc[VREPRINT] = 18;
  cc[VDISCARD] = 15;
  cc[VWERASE] = 23;
  cc[VLNEXT] = 22;
  return {
    iflag: ICRNL | IXON,
    oflag: OPOST | ONLCR,
    cflag: B38400 | CS8 | CREAD,
    lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    line: 0,
    cc,
    ispeed: DEFAULT_SPEED,
    ospeed: DEFAULT_SPEED,
  };
}

/** termios_locked of a new terminal: nothing is. */
export function noTermiosLocks(): Termios {
  return {
    iflag: 0,
    oflag: 0,
    cflag: 0,
    lflag: 0,
    line: 0,
    cc: new Uint8Array(NCCS),
    ispeed: 0,
    ospeed: 0,
  };
}

/** TIOCSLCKTRMIOS: takes back in `s` what differs from `old` where `locked` has bits, characters as a whole. */
export function keepLocked(s: Termios, old: Termios, locked: Termios): void {
  for (const flags of ["iflag", "oflag", "cflag", "lflag"] as const) {
    s[flags] = ((s[flags] & ~locked[flags]) | (old[flags] & locked[flags])) >>> 0;
  }
  if (locked.line !== 0) s.line = old.line;
  for (let i = 0; i < NCCS; i++) if (locked.cc[i] !== 0) s.cc[i] = old.cc[i];
}

/** Linux: pty_set_termios. A pty has eight bits without parity and receives, whatever is asked for. */
export function keepCharacterSize(s: Termios): void {
  s.cflag = ((s.cflag & ~(CSIZE | PARENB)) | CS8 | CREAD) >>> 0;
}

export function copyTermios(s: Termios): Termios {
  return { ...s, cc: s.cc.slice() };
}

export function termiosSize(form: number): number {
  return form === FORM_TERMIOS
    ? TERMIOS_SIZE
    : form === FORM_TERMIOS2
    ? TERMIOS2_SIZE
    : TERMIO_SIZE;
}

export function encodeTermios(v: DataView, form: number, s: Termios): void {
  if (form === FORM_TERMIOS) return putTermios(v, 0, s);
  if (form === FORM_TERMIOS2) return putTermios2(v, 0, s);
  v.setUint16(TERMIO_OFF_IFLAG, s.iflag, true);
  v.setUint16(TERMIO_OFF_OFLAG, s.oflag, true);
  v.setUint16(TERMIO_OFF_CFLAG, s.cflag, true);
  v.setUint16(TERMIO_OFF_LFLAG, s.lflag, true);
  v.setUint8(TERMIO_OFF_LINE, s.line);
  for (let i = 0; i < NCC; i++) v.setUint8(TERMIO_OFF_CC + i, s.cc[i]);
  v.setUint8(TERMIO_OFF_CC + NCC, 0); // Padding.
}

/** Changes `s`; what a form does not carry (speeds, high halves, later characters) stays. */
export function decodeTermios(v: DataView, form: number, s: Termios): void {
  if (form === FORM_TERMIOS) {
    getTermios(v, 0, s);
    const speed = SPEEDS.get(s.cflag & CBAUD_BITS);
    if (speed !== undefined) s.ispeed = s.ospeed = speed;
    return;
  }
  if (form === FORM_TERMIOS2) return getTermios2(v, 0, s);
  s.iflag = merge(s.iflag, v.getUint16(TERMIO_OFF_IFLAG, true));
  s.oflag = merge(s.oflag, v.getUint16(TERMIO_OFF_OFLAG, true));
  s.cflag = merge(s.cflag, v.getUint16(TERMIO_OFF_CFLAG, true));
  s.lflag = merge(s.lflag, v.getUint16(TERMIO_OFF_LFLAG, true));
  s.line = v.getUint8(TERMIO_OFF_LINE);
  for (let i = 0; i < NCC; i++) s.cc[i] = v.getUint8(TERMIO_OFF_CC + i);
}

function merge(old: number, low: number): number {
  return ((old & 0xffff0000) | low) >>> 0;
}

const CBAUD_BITS = 0o10017;
/** Bits per second of the CBAUD codes. */
const SPEEDS = new Map<number, number>([
  ...[0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400]
    .map((speed, i): [number, number] => [i, speed]),
  ...[
    57600,
    115200,
    230400,
    460800,
    500000,
    576000,
    921600,
    1000000,
    1152000,
    1500000,
    2000000,
    2500000,
    3000000,
    3500000,
    4000000,
  ].map((speed, i): [number, number] => [0o10001 + i, speed]),
]);
