/** The table of system calls: every family's rows in one list. */
import type { SyscallRow } from "../kernel/syscall.ts";
import { rows as epoll } from "./epoll.ts";
import { rows as eventfd } from "./eventfd.ts";
import { rows as exec } from "./exec.ts";
import { rows as memory } from "./memory.ts";
import { rows as pipe } from "./pipe.ts";
import { rows as poll } from "./poll.ts";
import { rows as select } from "./select.ts";
import { rows as signalfd } from "./signalfd.ts";
import { rows as sendfile } from "./sendfile.ts";
import { rows as socket } from "./socket.ts";
import { rows as socketMessage } from "./socket_message.ts";
import { rows as splice } from "./splice.ts";
import { rows as timerfd } from "./timerfd.ts";
import { exitGroup } from "../kernel/exit.ts";

export const table: readonly SyscallRow[] = [
  ...epoll,
  ...eventfd,
  ...exec,
  ...memory,
  ...pipe,
  ...poll,
  ...select,
  ...signalfd,
  ...sendfile,
  ...socket,
  ...socketMessage,
  ...splice,
  ...timerfd,
  [1, "write", (t, a) => t.fdTable.get(a.i32(0))!.impl.write(t.fdTable.get(a.i32(0))!, t.userSrc(a.addr(1), a.addr(2)), 0), 2],
  [231, "exit_group", (t, a) => { exitGroup(t, a.i32(0) << 8); return 0; }, 2],
];
