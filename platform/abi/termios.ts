/**
 * Terminal attributes in the kernel's layout (asm/termbits.h, asm/termios.h): termios(3),
 * tty_ioctl(4).
 */

// Control characters: indices into c_cc
export const NCCS = 19;
export const VINTR = 0;
export const VQUIT = 1;
export const VERASE = 2;
export const VKILL = 3;
export const VEOF = 4;
export const VTIME = 5;
export const VMIN = 6;
export const VSWTC = 7;
export const VSTART = 8;
export const VSTOP = 9;
export const VSUSP = 10;
export const VEOL = 11;
export const VREPRINT = 12;
export const VDISCARD = 13;
export const VWERASE = 14;
export const VLNEXT = 15;
export const VEOL2 = 16;

// c_iflag
export const IGNBRK = 0o1;
export const BRKINT = 0o2;
export const IGNPAR = 0o4;
export const PARMRK = 0o10;
export const INPCK = 0o20;
export const ISTRIP = 0o40;
export const INLCR = 0o100;
export const IGNCR = 0o200;
export const ICRNL = 0o400;
export const IUCLC = 0o1000;
export const IXON = 0o2000;
export const IXANY = 0o4000;
export const IXOFF = 0o10000;
export const IMAXBEL = 0o20000;
export const IUTF8 = 0o40000;

// c_oflag
export const OPOST = 0o1;
export const OLCUC = 0o2;
export const ONLCR = 0o4;
export const OCRNL = 0o10;
export const ONOCR = 0o20;
export const ONLRET = 0o40;
export const OFILL = 0o100;
export const OFDEL = 0o200;
export const NLDLY = 0o400;
export const NL0 = 0o0;
export const NL1 = 0o400;
export const CRDLY = 0o3000;
export const CR0 = 0o0;
export const CR1 = 0o1000;
export const CR2 = 0o2000;
export const CR3 = 0o3000;
export const TABDLY = 0o14000;
export const TAB0 = 0o0;
export const TAB1 = 0o4000;
export const TAB2 = 0o10000;
export const TAB3 = 0o14000;
export const XTABS = 0o14000;
export const BSDLY = 0o20000;
export const BS0 = 0o0;
export const BS1 = 0o20000;
export const VTDLY = 0o40000;
export const VT0 = 0o0;
export const VT1 = 0o40000;
export const FFDLY = 0o100000;
export const FF0 = 0o0;
export const FF1 = 0o100000;

// c_cflag
export const CBAUD = 0o10017;
export const CBAUDEX = 0o10000;
export const CSIZE = 0o60;
export const CS5 = 0o0;
export const CS6 = 0o20;
export const CS7 = 0o40;
export const CS8 = 0o60;
export const CSTOPB = 0o100;
export const CREAD = 0o200;
export const PARENB = 0o400;
export const PARODD = 0o1000;
export const HUPCL = 0o2000;
export const CLOCAL = 0o4000;
export const CIBAUD = 0o2003600000;
export const CMSPAR = 0o10000000000;
export const CRTSCTS = 0o20000000000;
export const ADDRB = 0o4000000000;
export const IBSHIFT = 16;

// Line speeds in c_cflag
export const B0 = 0o0;
export const B50 = 0o1;
export const B75 = 0o2;
export const B110 = 0o3;
export const B134 = 0o4;
export const B150 = 0o5;
export const B200 = 0o6;
export const B300 = 0o7;
export const B600 = 0o10;
export const B1200 = 0o11;
export const B1800 = 0o12;
export const B2400 = 0o13;
export const B4800 = 0o14;
export const B9600 = 0o15;
export const B19200 = 0o16;
export const B38400 = 0o17;
export const B57600 = 0o10001;
export const B115200 = 0o10002;
export const B230400 = 0o10003;
export const B460800 = 0o10004;
export const B500000 = 0o10005;
export const B576000 = 0o10006;
export const B921600 = 0o10007;
export const B1000000 = 0o10010;
export const B1152000 = 0o10011;
export const B1500000 = 0o10012;
export const B2000000 = 0o10013;
export const B2500000 = 0o10014;
export const B3000000 = 0o10015;
export const B3500000 = 0o10016;
export const B4000000 = 0o10017;
export const BOTHER = 0o10000;
export const EXTA = 0o16;
export const EXTB = 0o17;

// c_lflag
export const ISIG = 0o1;
export const ICANON = 0o2;
export const XCASE = 0o4;
export const ECHO = 0o10;
export const ECHOE = 0o20;
export const ECHOK = 0o40;
export const ECHONL = 0o100;
export const NOFLSH = 0o200;
export const TOSTOP = 0o400;
export const ECHOCTL = 0o1000;
export const ECHOPRT = 0o2000;
export const ECHOKE = 0o4000;
export const FLUSHO = 0o10000;
export const PENDIN = 0o40000;
export const IEXTEN = 0o100000;
export const EXTPROC = 0o200000;

// tcflow, tcflush, tcsetattr
export const TCOOFF = 0;
export const TCOON = 1;
export const TCIOFF = 2;
export const TCION = 3;
export const TCIFLUSH = 0;
export const TCOFLUSH = 1;
export const TCIOFLUSH = 2;
export const TCSANOW = 0;
export const TCSADRAIN = 1;
export const TCSAFLUSH = 2;

// Line disciplines
export const N_TTY = 0;

// Modem lines
export const TIOCM_LE = 0x1;
export const TIOCM_DTR = 0x2;
export const TIOCM_RTS = 0x4;
export const TIOCM_ST = 0x8;
export const TIOCM_SR = 0x10;
export const TIOCM_CTS = 0x20;
export const TIOCM_CAR = 0x40;
export const TIOCM_RNG = 0x80;
export const TIOCM_DSR = 0x100;
export const TIOCM_CD = 0x40;
export const TIOCM_RI = 0x80;
export const TIOCM_OUT1 = 0x2000;
export const TIOCM_OUT2 = 0x4000;
export const TIOCM_LOOP = 0x8000;

/** struct termios of TCGETS; NCCS bytes of c_cc end it. */
export const TERMIOS_SIZE = 36;
export const TERMIOS_OFF_IFLAG = 0;
export const TERMIOS_OFF_OFLAG = 4;
export const TERMIOS_OFF_CFLAG = 8;
export const TERMIOS_OFF_LFLAG = 12;
export const TERMIOS_OFF_LINE = 16;
export const TERMIOS_OFF_CC = 17;

/** struct termios2 of TCGETS2: struct termios and two speeds in bits per second. */
export const TERMIOS2_SIZE = 44;
export const TERMIOS2_OFF_IFLAG = 0;
export const TERMIOS2_OFF_OFLAG = 4;
export const TERMIOS2_OFF_CFLAG = 8;
export const TERMIOS2_OFF_LFLAG = 12;
export const TERMIOS2_OFF_LINE = 16;
export const TERMIOS2_OFF_CC = 17;
export const TERMIOS2_OFF_ISPEED = 36;
export const TERMIOS2_OFF_OSPEED = 40;

/** struct termio of TCGETA, with 16-bit flags and 8 control characters. */
export const TERMIO_SIZE = 18;
export const TERMIO_OFF_IFLAG = 0;
export const TERMIO_OFF_OFLAG = 2;
export const TERMIO_OFF_CFLAG = 4;
export const TERMIO_OFF_LFLAG = 6;
export const TERMIO_OFF_LINE = 8;
export const TERMIO_OFF_CC = 9;

/** struct winsize, for TIOCGWINSZ. */
export const WINSIZE_SIZE = 8;
export const WINSIZE_OFF_ROW = 0;
export const WINSIZE_OFF_COL = 2;
export const WINSIZE_OFF_XPIXEL = 4;
export const WINSIZE_OFF_YPIXEL = 6;

export interface Winsize {
  row: number;
  col: number;
  xpixel: number;
  ypixel: number;
}

export function putWinsize(
  v: DataView,
  off: number,
  row: number,
  col: number,
  xpixel: number,
  ypixel: number,
): void {
  v.setUint16(off + WINSIZE_OFF_ROW, row, true);
  v.setUint16(off + WINSIZE_OFF_COL, col, true);
  v.setUint16(off + WINSIZE_OFF_XPIXEL, xpixel, true);
  v.setUint16(off + WINSIZE_OFF_YPIXEL, ypixel, true);
}

export function getWinsize(v: DataView, off: number): Winsize {
  return {
    row: v.getUint16(off + WINSIZE_OFF_ROW, true),
    col: v.getUint16(off + WINSIZE_OFF_COL, true),
    xpixel: v.getUint16(off + WINSIZE_OFF_XPIXEL, true),
    ypixel: v.getUint16(off + WINSIZE_OFF_YPIXEL, true),
  };
}

/** Fields of struct termios; speeds only in struct termios2. */
export interface Termios {
  iflag: number;
  oflag: number;
  cflag: number;
  lflag: number;
  line: number;
  /** NCCS control characters. */
  cc: Uint8Array;
  ispeed: number;
  ospeed: number;
}

/** Writes struct termios, 36 bytes. */
export function putTermios(v: DataView, off: number, s: Termios): void {
  v.setUint32(off + TERMIOS_OFF_IFLAG, s.iflag, true);
  v.setUint32(off + TERMIOS_OFF_OFLAG, s.oflag, true);
  v.setUint32(off + TERMIOS_OFF_CFLAG, s.cflag, true);
  v.setUint32(off + TERMIOS_OFF_LFLAG, s.lflag, true);
  v.setUint8(off + TERMIOS_OFF_LINE, s.line);
  for (let i = 0; i < NCCS; i++) v.setUint8(off + TERMIOS_OFF_CC + i, s.cc[i] ?? 0);
}

/** Reads struct termios into `s`, whose speeds stay. */
export function getTermios(v: DataView, off: number, s: Termios): void {
  s.iflag = v.getUint32(off + TERMIOS_OFF_IFLAG, true);
  s.oflag = v.getUint32(off + TERMIOS_OFF_OFLAG, true);
  s.cflag = v.getUint32(off + TERMIOS_OFF_CFLAG, true);
  s.lflag = v.getUint32(off + TERMIOS_OFF_LFLAG, true);
  s.line = v.getUint8(off + TERMIOS_OFF_LINE);
  for (let i = 0; i < NCCS; i++) s.cc[i] = v.getUint8(off + TERMIOS_OFF_CC + i);
}

/** Writes struct termios2, 44 bytes. */
export function putTermios2(v: DataView, off: number, s: Termios): void {
  putTermios(v, off, s);
  v.setUint32(off + TERMIOS2_OFF_ISPEED, s.ispeed, true);
  v.setUint32(off + TERMIOS2_OFF_OSPEED, s.ospeed, true);
}

/** Reads struct termios2 into `s`. */
export function getTermios2(v: DataView, off: number, s: Termios): void {
  getTermios(v, off, s);
  s.ispeed = v.getUint32(off + TERMIOS2_OFF_ISPEED, true);
  s.ospeed = v.getUint32(off + TERMIOS2_OFF_OSPEED, true);
}
