/** execve(2), execveat(2). */
import { SYS_execve, SYS_execveat } from "../../platform/abi/amd64/syscalls.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import { E2BIG, EBADF, EFAULT, EINVAL, ENOENT } from "../../platform/abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../platform/abi/fcntl.ts";
import { PATH_MAX } from "../../platform/abi/limits.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { execProgram } from "../kernel/exec.ts";
import { StringBlock } from "../loader/strings.ts";
import { PAGE_SIZE } from "../mm/memory_manager.ts";
import { openForExec } from "../vfs/namei.ts";
import type { PathRef } from "../vfs/mount.ts";

const ARG_STRING_MAX = 131072;
const ARGS_MAX = 6 << 20;
/** A larger buffer is not kept for the next exec. */
const OUT_KEPT = 64 << 10;

function execve(t: Task, args: SyscallArguments): SyscallReturn {
  return doExec(t, AT_FDCWD, args.addr(0), args.addr(1), args.addr(2), 0);
}

function execveat(t: Task, args: SyscallArguments): SyscallReturn {
  return doExec(t, args.i32(0), args.addr(1), args.addr(2), args.addr(3), args.i32(4));
}

function doExec(
  t: Task,
  dirFd: number,
  pathAddr: number,
  argvAddr: number,
  envpAddr: number,
  flags: number,
): SyscallReturn {
  const path = t.copyInString(pathAddr, PATH_MAX);
  if (typeof path === "number") return path;
  const empty = (flags & AT_EMPTY_PATH) !== 0;
  if (path.length === 0 && !empty) return -ENOENT;
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) return -EINVAL;
  const start = startOf(t, dirFd, path);
  if (typeof start === "number") return start;
  const ctx = t.fs.walkContext(t.creds);
  const file = openForExec(ctx, start, path, (flags & AT_SYMLINK_NOFOLLOW) !== 0, empty);
  if (typeof file === "number") return file;
  const strings = reader.read(t, argvAddr, envpAddr);
  if (typeof strings === "number") {
    file.release();
    return strings;
  }
  const byFd = dirFd !== AT_FDCWD && !path.startsWith("/");
  const name = byFd ? `/dev/fd/${dirFd}${path.length > 0 ? "/" + path : ""}` : path;
  const scriptPath = byFd && t.fdTable.getCloseOnExec(dirFd) ? null : name;
  const open = (p: string) => openForExec(t.fs.walkContext(t.creds), t.fs.cwd, p, false, false);
  return execProgram(t, file, name, strings.argv, strings.envp, open, scriptPath);
}

function startOf(t: Task, dirFd: number, path: string): PathRef | number {
  if (dirFd === AT_FDCWD || path.startsWith("/")) return t.fs.cwd;
  const file = t.fdTable.get(dirFd);
  return file === null ? -EBADF : { mount: file.mount, dentry: file.dentry };
}

/**
 * Reads NULL-terminated vectors of strings; they mostly lie together, so pages are kept. There is one for all tasks:
 * nothing else is done while it reads.
 */
class StringReader {
  #t: Task | null = null;
  #page = -1;
  #length = 0;
  readonly #bytes = new Uint8Array(PAGE_SIZE);
  readonly #view = new DataView(this.#bytes.buffer);
  #total = 0;

  read(
    t: Task,
    argvAddr: number,
    envpAddr: number,
  ): { argv: StringBlock; envp: StringBlock } | number {
    this.#t = t;
    this.#page = -1;
    this.#length = this.#total = 0;
    const argv = this.#vector(argvAddr);
    const envp = typeof argv === "number" ? argv : this.#vector(envpAddr);
    this.#t = null;
    if (this.#out.length > OUT_KEPT) this.#out = new Uint8Array(PAGE_SIZE);
    if (typeof argv === "number") return argv;
    if (typeof envp === "number") return envp;
    // Linux gives a program without arguments an empty first one.
    return { argv: argv.count > 0 ? argv : StringBlock.of([""]), envp };
  }

  #isInPage(addr: number): boolean {
    return addr >= this.#page && addr - this.#page < this.#length;
  }

  /** Where in #bytes the memory at `addr` is, all that could be read of its page; or -EFAULT. */
  #at(addr: number): number {
    const page = addr - addr % PAGE_SIZE;
    if (!this.#isInPage(addr)) {
      const { mm, ctx } = this.#t!;
      const n = addr < mm.taskSize ? mm.copyInSome(ctx!, page, this.#bytes, 0, PAGE_SIZE) : -EFAULT;
      this.#page = page;
      this.#length = Math.max(n, 0);
    }
    return addr - page < this.#length ? addr - page : -EFAULT;
  }

  /** The pointer at `addr`, or -EFAULT. */
  #pointer(addr: number): number {
    const at = this.#at(addr);
    if (at < 0) return at;
    if (at + 8 <= this.#length) return getU64(this.#view, at);
    const word = new DataView(new ArrayBuffer(8)); // Across two pages.
    for (let i = 0; i < 8; i++) {
      const at = this.#at(addr + i);
      if (at < 0) return at;
      word.setUint8(i, this.#bytes[at]);
    }
    return getU64(word, 0);
  }

  /** The strings that the vector at `addr` points to, or -errno. */
  #vector(addr: number): StringBlock | number {
    this.#used = this.#run = this.#runEnd = 0;
    this.#pointers.length = 0;
    const starts: number[] = [];
    for (; addr !== 0; addr += 8) {
      const pointer = this.#pointer(addr);
      if (pointer < 0) return pointer;
      if (pointer === 0) break;
      this.#pointers.push(pointer);
      this.#total += 8;
      if (this.#total > ARGS_MAX) return -E2BIG;
    }
    for (const pointer of this.#pointers) {
      starts.push(this.#used + this.#runEnd - this.#run);
      const err = this.#string(pointer);
      if (err < 0) return err;
    }
    this.#endRun();
    return new StringBlock(this.#out.slice(0, this.#used), starts);
  }
  readonly #pointers: number[] = [];

  /** What was read so far, but for bytes [#run, #runEnd) of the page, which follow. */
  #out = new Uint8Array(PAGE_SIZE);
  #used = 0;
  #run = 0;
  #runEnd = 0;

  #endRun(): void {
    const length = this.#runEnd - this.#run;
    if (length === 0) return;
    if (this.#used + length > this.#out.length) {
      const larger = new Uint8Array(2 * this.#out.length + length);
      larger.set(this.#out);
      this.#out = larger;
    }
    this.#out.set(this.#bytes.subarray(this.#run, this.#runEnd), this.#used);
    this.#used += length;
    this.#run = this.#runEnd;
  }

  /** Appends a string with its NUL. Returns 0 or -errno. */
  #string(addr: number): number {
    for (let length = 0;;) {
      if (!this.#isInPage(addr)) this.#endRun();
      const at = this.#at(addr);
      if (at < 0) return at;
      if (at !== this.#runEnd) {
        this.#endRun();
        this.#run = at;
      }
      const end = this.#bytes.indexOf(0, at);
      const isWhole = end >= 0 && end < this.#length;
      this.#runEnd = isWhole ? end + 1 : this.#length;
      const n = this.#runEnd - at;
      length += n;
      this.#total += n;
      if (length > ARG_STRING_MAX || this.#total > ARGS_MAX) return -E2BIG;
      if (isWhole) return 0;
      addr += n;
    }
  }
}

const reader = new StringReader();

export const rows: SyscallRow[] = [
  [SYS_execve, "execve", execve, FULL],
  [SYS_execveat, "execveat", execveat, FULL],
];
