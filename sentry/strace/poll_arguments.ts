/** Waiting for descriptors: poll, select, epoll. */
import * as epoll from "../../platform/abi/epoll.ts";
import * as eventfd from "../../platform/abi/eventfd.ts";
import * as inotify from "../../platform/abi/inotify.ts";
import * as poll from "../../platform/abi/poll.ts";
import { type Call, hexOf, pointer } from "./call.ts";
import { arrayIn, arrayOut, given, named, showArray, type Struct, structIn } from "./arguments.ts";
import { choiceOf, flagsOf, namesOf } from "./names.ts";
import { showSet } from "./signal_arguments.ts";

const pollEvents = flagsOf(namesOf(poll, /^POLL(?!FD_|FREE|REMOVE|MSG)/));

const pollfd: Struct = {
  size: poll.POLLFD_SIZE,
  show: (v, off) => {
    const p = poll.getPollfd(v, off);
    return `{fd=${p.fd}, events=${pollEvents(p.events & 0xffff)}}`;
  },
};
export const pollfdsIn = arrayIn(pollfd, 1);

/** "Timeout", or "[{fd=3, revents=POLLIN}]" */
export function pollNote(c: Call): string | null {
  if (c.result < 0) return null;
  if (c.result === 0) return "Timeout";
  const ready: Struct = {
    size: poll.POLLFD_SIZE,
    show: (v, off) => {
      const p = poll.getPollfd(v, off);
      return p.revents === 0 ? "" : `{fd=${p.fd}, revents=${pollEvents(p.revents & 0xffff)}}`;
    },
  };
  return showArray(c, c.args.addr(0), c.args.u32(1), ready).replace(/, (?=[,\]])|(?<=\[), /g, "");
}

// --- select(2) --------------------------------------------------------------------------------------

function descriptors(c: Call, addr: number): string | null {
  const count = Math.min(Math.max(c.args.i32(0), 0), poll.FD_SETSIZE);
  const bytes = c.bytes(addr, 8 * Math.ceil(count / 64));
  if (bytes === null) return null;
  const fds: number[] = [];
  for (let fd = 0; fd < count; fd++) if (bytes[fd >> 3] >> (fd & 7) & 1) fds.push(fd);
  return `[${fds.join(" ")}]`;
}
export const fdSet = given((c, i) => {
  const addr = c.args.addr(i);
  return addr === 0 ? "NULL" : descriptors(c, addr) ?? pointer(addr);
});

/** "Timeout", or "in [3], out [4]" */
export function selectNote(c: Call): string | null {
  if (c.result < 0) return null;
  if (c.result === 0) return "Timeout";
  return ["in", "out", "except"].flatMap((word, n) => {
    const addr = c.args.addr(n + 1);
    const fds = addr === 0 ? null : descriptors(c, addr);
    return fds === null || fds === "[]" ? [] : [`${word} ${fds}`];
  }).join(", ");
}

/** pselect6's last argument: a signal set and its size. */
export const packedSet = given((c, i) => {
  const addr = c.args.addr(i);
  if (addr === 0) return "NULL";
  const set = c.u64(addr);
  return set === null ? pointer(addr) : set === 0 ? "{NULL}" : `{${showSet(c, set)}}`;
});

// --- epoll ------------------------------------------------------------------------------------------

const epollEvents = flagsOf(namesOf(epoll, /^EPOLL(?!_|NVAL|MSG)/));
export const epollOperation = named(choiceOf(namesOf(epoll, /^EPOLL_CTL_/)));
export const epollFlags = named(flagsOf(namesOf(epoll, /^EPOLL_CLOEXEC$/)));

const epollEvent: Struct = {
  size: epoll.EPOLL_EVENT_SIZE,
  show: (v, off) => {
    const e = epoll.getEpollEvent(v, off);
    const data = e.dataHi === 0
      ? hexOf(e.dataLo)
      : `0x${e.dataHi.toString(16)}${e.dataLo.toString(16).padStart(8, "0")}`;
    return `{events=${epollEvents(e.events)}, data=${data}}`;
  },
};
export const epollEventIn = structIn(epollEvent);
export const epollEventsOut = arrayOut(epollEvent);

export const eventfdFlags = named(flagsOf(namesOf(eventfd, /^EFD_/)));
export const inotifyFlags = named(flagsOf(namesOf(inotify, /^IN_(CLOEXEC|NONBLOCK)$/)));
export const inotifyMask = named(
  flagsOf(namesOf(inotify, /^IN_(?!CLOSE$|MOVE$|ALL_EVENTS|CLOEXEC|NONBLOCK)/)),
);
