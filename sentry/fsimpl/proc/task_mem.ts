/** /proc/PID/mem and pagemap: guest memory and page tables as files. */
import { EACCES, EINVAL, EIO, ESRCH } from "../../../platform/abi/errno.ts";
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";
import { S_IFREG } from "../../../platform/abi/stat.ts";
import type { Task } from "../../kernel/task.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { type FileDescription, FileDescriptionImpl } from "../../vfs/file.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { currentTask, ioCaller } from "../kernfs/caller.ts";
import { type KernFilesystem, KernInode } from "../kernfs/inode.ts";
import { isGone, liveMemory, mayPtrace, readMemory } from "./access.ts";
import { residentOf } from "./memory.ts";
import { setOwner } from "./task_inode.ts";

const CHUNK = 65536;
const chunk = new Uint8Array(CHUNK);

/** A file that is opened on the memory the task has then; an execve(2) makes it read nothing. */
abstract class MemoryInode extends KernInode {
  constructor(fs: KernFilesystem, readonly task: Task, mode: number) {
    super(fs, S_IFREG | mode);
    setOwner(this, task);
  }
  override refresh(): number {
    return setOwner(this, this.task);
  }
  protected abstract newFile(mm: MemoryManager | null): FileDescriptionImpl;

  override open(file: FileDescription): number {
    if (isGone(this.task)) return -ESRCH;
    if (!mayPtrace(currentTask(), this.task)) return -EACCES;
    file.impl = this.newFile(liveMemory(this.task));
    return 0;
  }
}

abstract class MemoryFile extends FileDescriptionImpl {
  constructor(readonly task: Task, readonly mm: MemoryManager | null) {
    super();
  }
  /** False once the process is gone or runs another program. */
  protected get isLive(): boolean {
    return this.mm !== null && this.mm.refs > 0;
  }
  override get isSizeLimited(): boolean {
    return false;
  }
  override get writesBuffers(): boolean {
    return true;
  }
  override seek(f: FileDescription, offset: number, whence: number): number {
    const base = whence === 0 ? 0 : whence === 1 ? f.offset : -1;
    return base < 0 || base + offset < 0 ? -EINVAL : base + offset;
  }
}

export class MemInode extends MemoryInode {
  constructor(fs: KernFilesystem, task: Task) {
    super(fs, task, 0o600);
  }
  protected override newFile(mm: MemoryManager | null): FileDescriptionImpl {
    return new MemFile(this.task, mm);
  }
}

class MemFile extends MemoryFile {
  override read(_f: FileDescription, dst: IoDst, offset: number): number {
    if (!this.isLive) return 0;
    const caller = ioCaller(dst);
    let total = 0;
    while (dst.remaining > 0) {
      const n = readMemory(
        caller,
        this.mm!,
        offset + total,
        chunk,
        0,
        Math.min(CHUNK, dst.remaining),
      );
      if (n === 0) break;
      const put = dst.put(chunk, 0, n);
      if (put < 0) return total > 0 ? total : put;
      total += put;
      if (put < n) break;
    }
    return total === 0 && dst.remaining > 0 ? -EIO : total;
  }

  override write(_f: FileDescription, src: IoSrc, offset: number): number {
    if (!this.isLive) return 0;
    const caller = ioCaller(src);
    const mm = this.mm!;
    const ctx = caller !== null && caller.mm === mm ? caller.ctx : null;
    let total = 0;
    while (src.remaining > 0) {
      const n = src.take(chunk, 0, Math.min(CHUNK, src.remaining));
      if (n < 0) return total > 0 ? total : n;
      const err = mm.writeNow(ctx, offset + total, chunk, 0, n);
      if (err < 0) return total > 0 ? total : -EIO;
      total += n;
    }
    return total;
  }
}

/** One 64-bit entry per page: bit 63 present, bit 61 of a file or shared; no frame numbers. */
const ENTRY_SIZE = 8;

export class PagemapInode extends MemoryInode {
  constructor(fs: KernFilesystem, task: Task) {
    super(fs, task, 0o400);
  }
  protected override newFile(mm: MemoryManager | null): FileDescriptionImpl {
    return new PagemapFile(this.task, mm);
  }
}

class PagemapFile extends MemoryFile {
  override read(_f: FileDescription, dst: IoDst, offset: number): number {
    if (!this.isLive) return 0;
    if (offset % ENTRY_SIZE !== 0 || dst.remaining % ENTRY_SIZE !== 0) return -EINVAL;
    const mm = this.mm!;
    const firstPage = offset / ENTRY_SIZE;
    const lastPage = Math.floor(mm.taskSize / PAGE_SIZE);
    const pages = Math.min(CHUNK, dst.remaining) / ENTRY_SIZE;
    const count = Math.max(0, Math.min(pages, lastPage - firstPage));
    const bytes = new Uint8Array(count * ENTRY_SIZE);
    for (let i = 0; i < count; i++) {
      const vma = mm.vmas.at((firstPage + i) * PAGE_SIZE);
      if (vma === null || residentOf(vma) === 0) continue;
      bytes[i * ENTRY_SIZE + 7] = 0x80 | (vma.file !== null || vma.shared ? 0x20 : 0);
    }
    return count === 0 ? 0 : dst.put(bytes, 0, bytes.length);
  }
}
