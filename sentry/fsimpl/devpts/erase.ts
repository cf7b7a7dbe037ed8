/** Erasing what was typed: VERASE, VWERASE and VKILL (Linux: n_tty.c, eraser()). */
import {
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  ECHOPRT,
  VERASE,
  VKILL,
  VWERASE,
} from "../../../platform/abi/termios.ts";
import type { LineDiscipline } from "./line_discipline.ts";
import { isControl, isLower, isUpper } from "./output.ts";

/** Handles the erase character `c` of the line being typed. */
export function erase(l: LineDiscipline, c: number): void {
  if (l.head === l.canonHead) return;
  const { lflag, cc } = l.termios;
  const echoes = (lflag & ECHO) !== 0;
  const one = c === cc[VERASE];
  const word = !one && c === cc[VWERASE];
  if (!one && !word) {
    const whole = ECHOK | ECHOKE | ECHOE;
    if (!echoes || (lflag & whole) !== whole) {
      l.head = l.canonHead;
      if (!echoes) return;
      l.finishErasing();
      l.echo.char(cc[VKILL]);
      if ((lflag & ECHOK) !== 0) l.echo.raw(10);
      return;
    }
  }
  let seenAlnum = false;
  while (l.head !== l.canonHead) {
    let head = l.head;
    do {
      head--;
      c = l.buf[head & (l.buf.length - 1)];
    } while (l.output.isContinuation(c) && head !== l.canonHead);
    if (l.output.isContinuation(c)) break; // Never a part of a character.
    if (word) {
      if (isAlnum(c) || c === 0x5f) seenAlnum = true;
      else if (seenAlnum) break;
    }
    const length = l.head - head;
    l.head = head;
    if (echoes) echoErased(l, c, head, length, one);
    if (one) break;
  }
  if (l.head === l.canonHead && echoes) l.finishErasing();
}

function echoErased(
  l: LineDiscipline,
  c: number,
  head: number,
  length: number,
  one: boolean,
): void {
  const { lflag, cc } = l.termios;
  if ((lflag & ECHOPRT) !== 0) {
    if (!l.erasing) {
      l.echo.raw(0x5c);
      l.erasing = true;
    }
    l.echo.char(c);
    for (let i = 1; i < length; i++) {
      l.echo.raw(l.buf[(head + i) & (l.buf.length - 1)]);
      l.echo.moveBackColumn();
    }
  } else if (one && (lflag & ECHOE) === 0) l.echo.char(cc[VERASE]);
  else if (c === 9) eraseTab(l);
  else {
    const control = isControl(c), caret = (lflag & ECHOCTL) !== 0;
    if (control && caret) backspace(l);
    if (!control || caret) backspace(l);
  }
}

/** Counts the columns from the start of the line, or from the tab before, to the erased tab. */
function eraseTab(l: LineDiscipline): void {
  let columns = 0;
  let afterTab = false;
  for (let i = l.head; i !== l.canonHead;) {
    const c = l.buf[--i & (l.buf.length - 1)];
    if (c === 9) {
      afterTab = true;
      break;
    }
    if (isControl(c)) {
      if ((l.termios.lflag & ECHOCTL) !== 0) columns += 2;
    } else if (!l.output.isContinuation(c)) columns++;
  }
  l.echo.eraseTab(columns, afterTab);
}

function backspace(l: LineDiscipline): void {
  l.echo.raw(8);
  l.echo.raw(32);
  l.echo.raw(8);
}

function isAlnum(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || isLower(c) || isUpper(c);
}
