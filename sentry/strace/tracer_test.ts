import { assertEquals } from "@std/assert";
import { SYS_exit_group, SYS_read } from "../../platform/abi/amd64/syscalls.ts";
import * as syscalls from "../../platform/abi/amd64/syscalls.ts";
import { setReg } from "../../platform/arch/amd64/registers.ts";
import { EFAULT, ENOENT, ERESTARTSYS } from "../../platform/abi/errno.ts";
import { SI_USER, SIGCHLD, SIGSEGV, SIGUSR1 } from "../../platform/abi/signal.ts";
import {
  REG_COUNT,
  REG_R10,
  REG_R8,
  REG_R9,
  REG_RDI,
  REG_RDX,
  REG_RSI,
} from "../../platform/arch/amd64/registers.ts";
import { KEEP_REGISTERS, SyscallArguments } from "../kernel/syscall.ts";
import { faultSignal, SigInfo, userSignal } from "../kernel/signal_info.ts";
import type { Task } from "../kernel/task.ts";
import { table } from "../syscalls/table.ts";
import { signatureNames } from "./calls.ts";
import { Tracer } from "./tracer.ts";

const ARGUMENTS = [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9];
const BASE = 0x7000_0000;

/** A guest with one page of memory at BASE, and the lines that a trace of it has written. */
class Guest {
  readonly memory = new Uint8Array(4096);
  readonly view = new DataView(this.memory.buffer);
  readonly lines: string[] = [];
  readonly regs = new Int32Array(2 * REG_COUNT);
  readonly tracer: Tracer;
  readonly task: Task;
  flushed = 0;

  constructor(names: string[] = [], format: "text" | "json" = "text") {
    this.tracer = new Tracer({ names, format, write: (line) => this.lines.push(line) });
    this.task = {
      tid: 7,
      tg: { pid: 5 },
      name: "cat",
      exitCode: 0,
      args: new SyscallArguments(this.regs),
      ctx: { queued: false, flush: () => this.flushed },
      mm: { space: { read: this.#read } },
    } as unknown as Task;
  }

  readonly #read = (addr: number, dst: Uint8Array, start: number, end: number): number => {
    const from = addr - BASE;
    if (from < 0 || from >= this.memory.length) return -EFAULT;
    const n = Math.min(end - start, this.memory.length - from);
    dst.set(this.memory.subarray(from, from + n), start);
    return n;
  };

  /** Stores bytes, text with a NUL, or 32-bit words; returns their address. */
  put(at: number, value: string | number[] | Uint8Array): number {
    if (typeof value === "string") {
      this.memory.set(new TextEncoder().encode(value + "\0"), at);
    } else if (value instanceof Uint8Array) this.memory.set(value, at);
    else value.forEach((word, i) => this.view.setUint32(at + 4 * i, word, true));
    return BASE + at;
  }

  enter(name: string, ...args: number[]): void {
    this.regs.fill(0);
    args.forEach((arg, i) => setReg(this.regs, ARGUMENTS[i], arg));
    this.tracer.enter(this.task, numberOf(name));
  }

  leave(name: string, result: number): number {
    return this.tracer.leave(this.task, numberOf(name), result);
  }

  /** One call from begin to end; its line without the task's number. */
  call(name: string, args: number[], result: number): string {
    this.enter(name, ...args);
    this.leave(name, result);
    return this.lines.pop()!.replace(/^\[7\] /, "");
  }
}

function numberOf(name: string): number {
  return (syscalls as unknown as Record<string, number>)[`SYS_${name}`];
}

Deno.test("paths, flags and modes are shown by name", () => {
  const g = new Guest();
  const path = g.put(0, "/etc/passwd");
  assertEquals(
    g.call("openat", [-100, path, 0o2000000], 3),
    `openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3`,
  );
  assertEquals(
    g.call("openat", [4, path, 0o1102, 0o644], 3),
    `openat(4, "/etc/passwd", O_RDWR|O_CREAT|O_TRUNC, 0644) = 3`,
  );
  assertEquals(
    g.call("open", [path, 0o4010001], -ENOENT),
    `open("/etc/passwd", O_WRONLY|O_SYNC) = -1 ENOENT`,
  );
  assertEquals(
    g.call("mmap", [0, 8192, 3, 0x22, -1, 0], 0x7fff_1234_5000),
    "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7fff12345000",
  );
  assertEquals(
    g.call("mprotect", [0x1000, 4096, 0], 0),
    "mprotect(0x1000, 4096, PROT_NONE) = 0",
  );
  assertEquals(
    g.call("unlinkat", [-100, path, 0x200], 0),
    `unlinkat(AT_FDCWD, "/etc/passwd", AT_REMOVEDIR) = 0`,
  );
  assertEquals(
    g.call("mknodat", [-100, path, 0o020666, 0x103], 0),
    `mknodat(AT_FDCWD, "/etc/passwd", S_IFCHR|0666, makedev(0x1, 0x3)) = 0`,
  );
  assertEquals(g.call("umask", [0o22], 0o77), "umask(022) = 077");
});

Deno.test("a buffer is cut after 32 bytes, and shown in C's escapes", () => {
  const g = new Guest();
  const text = g.put(0, 'tab\t, "quote", \\, bell\x07, and so on and on');
  assertEquals(
    g.call("write", [1, text, 40], 40),
    'write(1, "tab\\t, \\"quote\\", \\\\, bell\\7, and so "..., 40) = 40',
  );
  g.put(0, new Uint8Array([0, 0x31, 0]));
  assertEquals(g.call("read", [0, text, 100], 3), 'read(0, "\\0001\\0", 100) = 3');
  assertEquals(g.call("read", [0, text, 100], -EFAULT), `read(0, 0x70000000, 100) = -1 EFAULT`);
  assertEquals(g.call("write", [1, 64, 5], -EFAULT), "write(1, 0x40, 5) = -1 EFAULT");
  assertEquals(
    g.call("readlink", [g.put(64, "/l"), g.put(0, "target"), 99], 6),
    'readlink("/l", "target", 99) = 6',
  );
});

Deno.test("what the kernel fills is read when the call is over, after what is queued", () => {
  const g = new Guest();
  g.enter("pipe2", BASE, 0o2000000);
  g.put(0, [3, 4]);
  g.leave("pipe2", 0);
  assertEquals(g.lines.pop(), "[7] pipe2([3, 4], O_CLOEXEC) = 0");

  (g.task.ctx as { queued: boolean }).queued = true;
  g.flushed = -EFAULT;
  g.enter("pipe2", BASE, 0);
  assertEquals(g.leave("pipe2", 0), -EFAULT);
  assertEquals(g.lines.pop(), "[7] pipe2(0x70000000, 0) = -1 EFAULT");
});

Deno.test("structs of files", () => {
  const g = new Guest();
  g.view.setUint32(24, 0o100644, true);
  g.view.setUint32(48, 1234, true);
  assertEquals(
    g.call("fstat", [3, BASE], 0),
    "fstat(3, {st_mode=S_IFREG|0644, st_size=1234, ...}) = 0",
  );
  g.view.setUint32(24, 0o020620, true);
  g.view.setUint32(40, 0x8801, true);
  assertEquals(
    g.call("fstat", [3, BASE], 0),
    "fstat(3, {st_mode=S_IFCHR|0620, st_rdev=makedev(0x88, 0x1), ...}) = 0",
  );
  const data = g.put(512, "hello");
  const iov = g.put(256, [data, 0, 5, 0]);
  assertEquals(
    g.call("writev", [1, iov, 1], 5),
    'writev(1, [{iov_base="hello", iov_len=5}], 1) = 5',
  );
  assertEquals(
    g.call("readv", [1, iov, 1], 2),
    'readv(1, [{iov_base="he", iov_len=5}], 1) = 2',
  );
  g.memory.fill(0);
  g.view.setInt16(0, 1, true);
  g.view.setUint32(16, 100, true);
  assertEquals(
    g.call("fcntl", [3, 6, BASE], 0),
    "fcntl(3, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=0, l_len=100}) = 0",
  );
  assertEquals(
    g.call("fcntl", [3, 3, 0], 0o100001),
    "fcntl(3, F_GETFL) = 0x8001 (flags O_WRONLY|O_LARGEFILE)",
  );
  assertEquals(g.call("fcntl", [3, 1030, 10], 10), "fcntl(3, F_DUPFD_CLOEXEC, 10) = 10");
  assertEquals(
    g.call("utimensat", [-100, 0, g.put(0, [5, 0, 6, 0, 0, 0, 0x3fffffff, 0]), 0], 0),
    "utimensat(AT_FDCWD, NULL, [{tv_sec=5, tv_nsec=6}, UTIME_NOW], 0) = 0",
  );
});

Deno.test("processes: clone, wait, limits, arguments", () => {
  const g = new Guest();
  assertEquals(
    g.call("clone", [0x1200011, 0, 0, 0x5000, 0], 8),
    "clone(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, NULL, NULL, 0x5000, 0) = 8",
  );
  g.put(0, [0x100, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0x9000, 0, 0x1000, 0, 0, 0]);
  assertEquals(
    g.call("clone3", [BASE, 64], 8),
    "clone3({flags=CLONE_VM, exit_signal=SIGCHLD, stack=0x9000, stack_size=0x1000, tls=NULL}, 64) = 8",
  );
  g.put(0, [3 << 8]);
  assertEquals(
    g.call("wait4", [-1, BASE, 3, 0], 8),
    "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], WNOHANG|WUNTRACED, NULL) = 8",
  );
  assertEquals(g.call("wait4", [-1, BASE, 1, 0], 0), "wait4(-1, 0x70000000, WNOHANG, NULL) = 0");
  g.put(0, [0x8b]);
  assertEquals(
    g.call("wait4", [8, BASE, 0, 0], 8),
    "wait4(8, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && WCOREDUMP(s)}], 0, NULL) = 8",
  );
  g.put(0, [8192 * 1024, 0, 0xffffffff, 0xffffffff]);
  assertEquals(
    g.call("prlimit64", [0, 3, 0, BASE], 0),
    "prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0",
  );
  const sh = g.put(64, "sh");
  const flag = g.put(72, "-c");
  const argv = g.put(128, [sh, 0, flag, 0, 0, 0]);
  assertEquals(
    g.call("execve", [sh, argv, g.put(192, [sh, 0, 0, 0])], 0),
    'execve("sh", ["sh", "-c"], 0x700000c0 /* 1 vars */) = 0',
  );
});

Deno.test("futexes show the arguments that their operation has", () => {
  const g = new Guest();
  const timeout = g.put(0, [1, 0, 500, 0]);
  assertEquals(
    g.call("futex", [0x1000, 0x80, 2, 0, 9, 9], 0),
    "futex(0x1000, FUTEX_WAIT_PRIVATE, 2, NULL) = 0",
  );
  assertEquals(
    g.call("futex", [0x1000, 0x81, 1], 1),
    "futex(0x1000, FUTEX_WAKE_PRIVATE, 1) = 1",
  );
  assertEquals(
    g.call("futex", [0x1000, 0x189, 2, timeout, 0, 0xffffffff], -110),
    "futex(0x1000, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 2, " +
      "{tv_sec=1, tv_nsec=500}, NULL, FUTEX_BITSET_MATCH_ANY) = -1 ETIMEDOUT",
  );
  assertEquals(
    g.call("futex", [0x1000, 4, 1, 5, 0x2000, 7], 0),
    "futex(0x1000, FUTEX_CMP_REQUEUE, 1, 5, 0x2000, 7) = 0",
  );
});

Deno.test("signals: sets, actions", () => {
  const g = new Guest();
  g.put(0, [0x10002, 0]);
  assertEquals(
    g.call("rt_sigprocmask", [0, BASE, 0, 8], 0),
    "rt_sigprocmask(SIG_BLOCK, [INT CHLD], NULL, 8) = 0",
  );
  g.put(0, [~0x100, ~0]);
  assertEquals(
    g.call("rt_sigprocmask", [2, BASE, 0, 8], 0),
    "rt_sigprocmask(SIG_SETMASK, ~[KILL], NULL, 8) = 0",
  );
  g.put(0, [1, 0, 0x14000000, 0, 0x9000, 0, 0, 0]);
  assertEquals(
    g.call("rt_sigaction", [13, BASE, 0, 8], 0),
    "rt_sigaction(SIGPIPE, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_RESTORER|SA_RESTART, " +
      "sa_restorer=0x9000}, NULL, 8) = 0",
  );
  assertEquals(g.call("tgkill", [5, 7, 34], 0), "tgkill(5, 7, SIGRT_2) = 0");
});

Deno.test("waiting for descriptors", () => {
  const g = new Guest();
  g.put(0, [3, 0x1_0001, 4, 4]);
  assertEquals(
    g.call("poll", [BASE, 2, -1], 1),
    "poll([{fd=3, events=POLLIN}, {fd=4, events=POLLOUT}], 2, -1) = 1 ([{fd=3, revents=POLLIN}])",
  );
  assertEquals(
    g.call("poll", [BASE, 1, 10], 0),
    "poll([{fd=3, events=POLLIN}], 1, 10) = 0 (Timeout)",
  );
  g.put(0, [0x28, 0]);
  assertEquals(
    g.call("select", [6, BASE, 0, 0, g.put(64, [1, 0, 0, 0])], 2),
    "select(6, [3 5], NULL, NULL, {tv_sec=1, tv_usec=0}) = 2 (in [3 5])",
  );
  g.put(0, [0x8000_0001, 9, 0]);
  assertEquals(
    g.call("epoll_ctl", [3, 1, 4, BASE], 0),
    "epoll_ctl(3, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, data=0x9}) = 0",
  );
  assertEquals(
    g.call("epoll_wait", [3, BASE, 8, -1], 1),
    "epoll_wait(3, [{events=EPOLLIN|EPOLLET, data=0x9}], 8, -1) = 1",
  );
});

Deno.test("sockets: types, addresses, options, messages", () => {
  const g = new Guest();
  assertEquals(
    g.call("socket", [1, 0o2004001, 0], 3),
    "socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0) = 3",
  );
  assertEquals(
    g.call("socket", [2, 1, 6], -97),
    "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = -1 EAFNOSUPPORT",
  );
  g.put(0, "\x01\0/run/a.sock");
  assertEquals(
    g.call("connect", [3, BASE, 14], 0),
    'connect(3, {sa_family=AF_UNIX, sun_path="/run/a.sock"}, 14) = 0',
  );
  g.put(0, "\x01\0\0name");
  assertEquals(
    g.call("bind", [3, BASE, 7], 0),
    'bind(3, {sa_family=AF_UNIX, sun_path=@"name"}, 7) = 0',
  );
  g.put(0, new Uint8Array([2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
  assertEquals(
    g.call("connect", [3, BASE, 16], -97),
    'connect(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("127.0.0.1")}, 16)' +
      " = -1 EAFNOSUPPORT",
  );
  g.put(0, [7, 0, 0]);
  assertEquals(
    g.call("getsockopt", [3, 1, 17, BASE, g.put(64, [12])], 0),
    "getsockopt(3, SOL_SOCKET, SO_PEERCRED, {pid=7, uid=0, gid=0}, [12]) = 0",
  );
  const iov = g.put(256, [g.put(320, "x"), 0, 1, 0]);
  const control = g.put(384, [20, 0, 1, 1, 5]);
  g.put(128, [0, 0, 0, 0, iov, 0, 1, 0, control, 0, 24, 0, 0, 0]);
  assertEquals(
    g.call("sendmsg", [3, BASE + 128, 0x4000], 1),
    'sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="x", iov_len=1}], msg_iovlen=1, ' +
      "msg_control=[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[5]}], " +
      "msg_controllen=24, msg_flags=0}, MSG_NOSIGNAL) = 1",
  );
});

Deno.test("requests of ioctl by name", () => {
  const g = new Guest();
  g.view.setUint16(0, 24, true);
  g.view.setUint16(2, 80, true);
  assertEquals(
    g.call("ioctl", [1, 0x5413, BASE], 0),
    "ioctl(1, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}) = 0",
  );
  assertEquals(
    g.call("ioctl", [1, 0x5401, BASE], -25),
    "ioctl(1, TCGETS, 0x70000000) = -1 ENOTTY",
  );
  assertEquals(g.call("ioctl", [1, 0x1234, 5], -25), "ioctl(1, 0x1234, 0x5) = -1 ENOTTY");
});

Deno.test("a call without a decoder shows its six registers", () => {
  const g = new Guest();
  assertEquals(
    g.call("perf_event_open", [1, -2, 3, 4, 5, 6], -38),
    "perf_event_open(0x1, 0xfffffffffffffffe, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS",
  );
});

Deno.test("every decoder belongs to a system call", () => {
  assertEquals(signatureNames.filter((name) => numberOf(name) === undefined), []);
});

Deno.test("a call that starts again, and one that sets the registers itself, have no result", () => {
  const g = new Guest();
  assertEquals(
    g.call("read", [0, BASE, 1], -ERESTARTSYS),
    "read(0, 0x70000000, 1) = ? ERESTARTSYS",
  );
  assertEquals(g.call("rt_sigreturn", [], KEEP_REGISTERS), "rt_sigreturn() = ?");
});

Deno.test("signals show where they come from", () => {
  const g = new Guest();
  g.tracer.signal(g.task, faultSignal(SIGSEGV, 1, 0xdead));
  g.tracer.signal(g.task, userSignal(SIGUSR1, SI_USER, 3, 0));
  const child = new SigInfo(SIGCHLD, 1);
  child.pid = 9;
  child.status = 2;
  g.tracer.signal(g.task, child);
  assertEquals(g.lines, [
    "[7] --- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0xdead} ---",
    "[7] --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=3, si_uid=0} ---",
    "[7] --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=9, si_uid=0, si_status=2} ---",
  ]);
});

Deno.test("mounts are shown by descriptor, flag and attribute", () => {
  const g = new Guest();
  const place = g.put(0, "/mnt");
  const name = g.put(8, "size");
  const value = g.put(16, "1m");
  const attr = g.put(32, [1, 0, 2, 0, 0x40000, 0, 0, 0]);
  const nothing = g.put(24, "");
  const lines: [string, number[], string][] = [
    [
      "open_tree",
      [-100, place, 0x88001],
      `AT_FDCWD, "/mnt", OPEN_TREE_CLONE|AT_RECURSIVE|OPEN_TREE_CLOEXEC`,
    ],
    [
      "move_mount",
      [3, nothing, -100, place, 4],
      `3, "", AT_FDCWD, "/mnt", MOVE_MOUNT_F_EMPTY_PATH`,
    ],
    ["fsopen", [name, 1], `"size", FSOPEN_CLOEXEC`],
    ["fsconfig", [4, 1, name, value, 0], `4, FSCONFIG_SET_STRING, "size", "1m", 0`],
    ["fsconfig", [4, 0, name, 0, 0], `4, FSCONFIG_SET_FLAG, "size", NULL, 0`],
    ["fsconfig", [4, 2, name, place, 2], `4, FSCONFIG_SET_BINARY, "size", "/m", 2`],
    ["fsconfig", [4, 3, name, place, -100], `4, FSCONFIG_SET_PATH, "size", "/mnt", AT_FDCWD`],
    ["fsconfig", [4, 6, 0, 0, 0], "4, FSCONFIG_CMD_CREATE, NULL, NULL, 0"],
    ["fsmount", [4, 1, 0x14], "4, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV|MOUNT_ATTR_NOATIME"],
    ["fspick", [-100, place, 8], `AT_FDCWD, "/mnt", FSPICK_EMPTY_PATH`],
    [
      "mount_setattr",
      [-100, place, 0x8000, attr, 32],
      `AT_FDCWD, "/mnt", AT_RECURSIVE, {attr_set=MOUNT_ATTR_RDONLY, ` +
      `attr_clr=MOUNT_ATTR_NOSUID, propagation=MS_PRIVATE, userns_fd=0}, 32`,
    ],
    ["mount_setattr", [-100, place, 0, attr, 16], `AT_FDCWD, "/mnt", 0, 0x70000020, 16`],
  ];
  for (const [call, args, shown] of lines) {
    assertEquals(g.call(call, args, 0), `${call}(${shown}) = 0`);
  }
});

Deno.test("the mount table is shown with what was asked for and what came", () => {
  const g = new Guest();
  const root = g.put(0, [24, 0, 0xffff_ffff, 0xffff_ffff, 0, 0]);
  const ids = g.put(64, [0x8000_0001, 0, 0x8000_0002, 0]);
  assertEquals(
    g.call("listmount", [root, ids, 8, 1], 2),
    "listmount({size=MNT_ID_REQ_SIZE_VER0, mnt_id=LSMT_ROOT, param=0}, [0x80000001, 0x80000002], 8, " +
      "LISTMOUNT_REVERSE) = 2",
  );
  const one = g.put(0, [32, 0, 0x8000_0001, 0, 0x30, 0, 0, 0]);
  const out = g.put(1024, [526, 0, 0x30]);
  g.put(1024 + 36, [0]);
  g.put(1024 + 108, [6]);
  g.put(1024 + 512, "tmpfs");
  g.put(1024 + 518, "/tmp");
  assertEquals(
    g.call("statmount", [one, out, 1024, 0], 0),
    "statmount({size=MNT_ID_REQ_SIZE_VER1, mnt_id=0x80000001, " +
      "param=STATMOUNT_MNT_POINT|STATMOUNT_FS_TYPE}, " +
      '{size=526, mask=STATMOUNT_MNT_POINT|STATMOUNT_FS_TYPE, fs_type="tmpfs", ' +
      'mnt_point="/tmp", ...}, 1024, 0) = 0',
  );
});

Deno.test("what a task may do is shown by name: capabilities, policies, priorities", () => {
  const g = new Guest();
  const header = g.put(0, [0x20080522, 0]);
  const sets = g.put(16, [1, 0x21, 0, 0x100, 0, 0]);
  assertEquals(
    g.call("capset", [header, sets], 0),
    "capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, " +
      "{effective=1<<CAP_CHOWN|1<<CAP_CHECKPOINT_RESTORE, " +
      "permitted=1<<CAP_CHOWN|1<<CAP_KILL, inheritable=0}) = 0",
  );
  const old = g.put(0, [0x19980330, 0]);
  assertEquals(
    g.call("capget", [old, sets], 0),
    "capget({version=_LINUX_CAPABILITY_VERSION_1, pid=0}, " +
      "{effective=1<<CAP_CHOWN, permitted=1<<CAP_CHOWN|1<<CAP_KILL, inheritable=0}) = 0",
  );
  const nodes = g.put(64, [5, 0]);
  assertEquals(
    g.call("mbind", [0x1000, 4096, 0x8002, nodes, 64, 3], 0),
    "mbind(0x1000, 4096, MPOL_BIND|MPOL_F_STATIC_NODES, [0x5], 64, MPOL_MF_STRICT|MPOL_MF_MOVE) = 0",
  );
  assertEquals(
    g.call(
      "add_key",
      [g.put(96, "user"), g.put(104, "m"), g.put(112, "x"), 1, -3],
      77,
    ),
    'add_key("user", "m", "x", 1, KEY_SPEC_SESSION_KEYRING) = 77',
  );
  assertEquals(
    g.call("keyctl", [11, 77, 0, 0, 0], 1),
    "keyctl(KEYCTL_READ, 0x4d, 0, 0, 0) = 1",
  );
  assertEquals(
    g.call("set_mempolicy", [0, 0, 0], 0),
    "set_mempolicy(MPOL_DEFAULT, NULL, 0) = 0",
  );
  assertEquals(
    g.call("ioprio_set", [1, 0, 0x4004], 0),
    "ioprio_set(IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4)) = 0",
  );
  assertEquals(
    g.call("personality", [0x40000], 8),
    "personality(PER_LINUX|ADDR_NO_RANDOMIZE) = 0x8 (PER_LINUX32)",
  );
  const attributes = g.put(128, [48, 0, 1, 0, 5]);
  assertEquals(
    g.call("sched_setattr", [0, attributes, 0], 0),
    "sched_setattr(0, {size=48, sched_policy=SCHED_OTHER, sched_flags=SCHED_FLAG_RESET_ON_FORK, " +
      "sched_nice=5, sched_priority=0, sched_runtime=0, sched_deadline=0, sched_period=0}, 0) = 0",
  );
  const waiters = g.put(256, [7, 0, 0x1000, 0, 0x82, 0]);
  assertEquals(
    g.call("futex_waitv", [waiters, 1, 0, 0, 1], 0),
    "futex_waitv([{val=0x7, uaddr=0x1000, flags=FUTEX2_SIZE_U32|FUTEX2_PRIVATE}], 1, 0, NULL, " +
      "CLOCK_MONOTONIC) = 0",
  );
});

Deno.test("the futex calls of their own operation show words, masks and flags", () => {
  const g = new Guest();
  assertEquals(
    g.call("futex_wake", [0x1000, 3, 7, 0x82], 1),
    "futex_wake(0x1000, 0x3, 7, FUTEX2_SIZE_U32|FUTEX2_PRIVATE) = 1",
  );
  const until = g.put(128, [1, 0, 500, 0]);
  assertEquals(
    g.call("futex_wait", [0x1000, 0, 3, 2, until, 1], -110),
    "futex_wait(0x1000, 0, 0x3, FUTEX2_SIZE_U32, {tv_sec=1, tv_nsec=500}, CLOCK_MONOTONIC) = " +
      "-1 ETIMEDOUT",
  );
  const pair = g.put(256, [7, 0, 0x1000, 0, 2, 0, 0, 0, 0x2000, 0, 2, 0]);
  assertEquals(
    g.call("futex_requeue", [pair, 0, 1, 5], 2),
    "futex_requeue([{val=0x7, uaddr=0x1000, flags=FUTEX2_SIZE_U32}, " +
      "{val=0, uaddr=0x2000, flags=FUTEX2_SIZE_U32}], 0, 1, 5) = 2",
  );
});

Deno.test("handles, times and tables of old calls are shown as what they are", () => {
  const g = new Guest();
  const path = g.put(0, "/etc");
  const handle = g.put(16, [4, 1, 0x01020304]);
  const mountId = g.put(32, [27]);
  assertEquals(
    g.call("name_to_handle_at", [-100, path, handle, mountId, 0x400], 0),
    'name_to_handle_at(AT_FDCWD, "/etc", ' +
      '{handle_bytes=4, handle_type=1, f_handle="\\4\\3\\2\\1"}, [27], AT_SYMLINK_FOLLOW) = 0',
  );
  const times = g.put(64, [1, 0, 2, 0]);
  assertEquals(
    g.call("utime", [path, times], 0),
    'utime("/etc", {actime=1, modtime=2}) = 0',
  );
  assertEquals(g.call("sysfs", [3], 6), "sysfs(3) = 6");
  assertEquals(g.call("sysfs", [2, 0, path], 0), 'sysfs(2, 0, "/etc") = 0');
  assertEquals(g.call("sysfs", [1, path], 3), 'sysfs(1, "/etc") = 3');
  const timex = g.put(128, new Array(52).fill(0));
  assertEquals(
    g.call("adjtimex", [timex], 5),
    "adjtimex({modes=0, offset=0, freq=0, status=0, ...}) = 5 (TIME_ERROR)",
  );
});

Deno.test("no system call that is served is shown as registers", () => {
  const shown = new Set(signatureNames);
  assertEquals(table.map(([, name]) => name).filter((name) => !shown.has(name)), []);
});

Deno.test("the end of a task shows the call it was in, and how it ended", () => {
  const g = new Guest();
  g.enter("exit_group", 3);
  g.task.exitCode = 3 << 8;
  g.tracer.exit(g.task);
  g.tracer.leave(g.task, SYS_exit_group, 0);
  assertEquals(g.lines, ["[7] exit_group(3) = ?", "[7] +++ exited with 3 +++"]);

  g.lines.length = 0;
  g.enter("read", 0, BASE, 1);
  g.task.exitCode = 9;
  g.tracer.exit(g.task);
  g.tracer.leave(g.task, SYS_read, 0);
  assertEquals(g.lines, ["[7] read(0, 0x70000000, 1) = ?", "[7] +++ killed by SIGKILL +++"]);
});

Deno.test("only the calls asked for are shown", () => {
  const g = new Guest(["read"]);
  g.enter("getpid");
  g.leave("getpid", 5);
  g.enter("read", 0, BASE, 0);
  g.leave("read", 0);
  assertEquals(g.lines, ['[7] read(0, "", 0) = 0']);
});

Deno.test("a line of JSON has the call, its arguments and its result", () => {
  const g = new Guest([], "json");
  g.enter("close", 3);
  g.leave("close", -9);
  g.tracer.signal(g.task, userSignal(SIGUSR1, SI_USER, 3, 0));
  g.task.exitCode = 9;
  g.tracer.exit(g.task);
  const lines = g.lines.map((line) => JSON.parse(line));
  for (const line of lines) {
    assertEquals(typeof line.time, "string");
    delete line.time;
  }
  const who = { tid: 7, pid: 5, command: "cat" };
  assertEquals(lines, [
    { ...who, call: "close", args: ["3"], result: -1, errno: "EBADF", text: "-1 EBADF" },
    {
      ...who,
      signal: "SIGUSR1",
      info: "{si_signo=SIGUSR1, si_code=SI_USER, si_pid=3, si_uid=0}",
    },
    { ...who, killed: "SIGKILL", dumped: false },
  ]);
});
