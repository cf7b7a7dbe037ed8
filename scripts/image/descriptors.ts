/** What an image has of a process's descriptors. */
import { SYS_kcmp } from "../../platform/abi/amd64/syscalls.ts";
import { O_CLOEXEC, O_NONBLOCK } from "../../platform/abi/fcntl.ts";
import { KCMP_FILE } from "../../platform/abi/kcmp.ts";
import { spawnLibrary } from "../../platform/host/spawn.ts";
import {
  FD_DUP,
  FD_EPOLL,
  FD_EVENTFD,
  FD_KEPT,
  FD_SOCKET,
  must,
  PLACED,
  readText,
} from "./layout.ts";

export interface Descriptor {
  fd: number;
  kind: number;
  cloexec: boolean;
  value: number;
  flags: number;
}

export interface Watch {
  epoll: number;
  fd: number;
  events: number;
  data: bigint;
}

export function descriptorsOf(
  pid: number,
  fds: Iterable<number>,
): { descriptors: Descriptor[]; watches: Watch[] } {
  const descriptors: Descriptor[] = [];
  const watches: Watch[] = [];
  const sockets: number[] = [];
  const same = (a: number, b: number) => must("kcmp", kcmpFile(pid, a, b)) === 0;
  for (const fd of fds) {
    const info = readText(`/proc/${pid}/fdinfo/${fd}`);
    const flags = parseInt(/^flags:\s*(\d+)/m.exec(info)![1], 8);
    const base = { fd, cloexec: (flags & O_CLOEXEC) !== 0, value: 0, flags: flags & O_NONBLOCK };
    if (fd < PLACED) {
      descriptors.push({ ...base, kind: FD_KEPT });
      continue;
    }
    const original = descriptors.find((each) => same(each.fd, fd));
    if (original !== undefined) {
      descriptors.push({ ...base, kind: FD_DUP, value: original.fd });
      continue;
    }
    const target = Deno.readLinkSync(`/proc/${pid}/fd/${fd}`);
    if (target === "anon_inode:[eventpoll]") {
      descriptors.push({ ...base, kind: FD_EPOLL });
      for (
        const line of info.matchAll(/^tfd:\s*(\d+) events:\s*([0-9a-f]+) data:\s*([0-9a-f]+)/gm)
      ) {
        const [, of, events, data] = line;
        watches.push({
          epoll: fd,
          fd: Number(of),
          events: parseInt(events, 16),
          data: BigInt(`0x${data}`),
        });
      }
    } else if (target === "anon_inode:[eventfd]") {
      const count = Number(/^eventfd-count:\s*([0-9a-f]+)/m.exec(info)![1]);
      descriptors.push({ ...base, kind: FD_EVENTFD, value: count });
    } else if (target.startsWith("socket:")) {
      sockets.push(fd);
      descriptors.push({ ...base, kind: FD_SOCKET, value: -1 });
    } else throw new Error(`descriptor ${fd} is of an unknown kind: ${target}`);
  }
  // tokio's pair, by which signal handlers wake it, is the only one there is.
  if (sockets.length !== 2) throw new Error(`${sockets.length} sockets besides the control socket`);
  descriptors.find(({ fd }) => fd === sockets[0])!.value = sockets[1];
  return { descriptors, watches };
}

function kcmpFile(pid: number, a: number, b: number): number {
  return spawnLibrary().dv_syscall(SYS_kcmp, pid, pid, KCMP_FILE, a, b, 0);
}
