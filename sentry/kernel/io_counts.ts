/** What threads have read and written (Linux: task_io_accounting). */
export class IoCounts {
  readBytes = 0;
  writtenBytes = 0;
  /** Calls, those that failed or waited in vain too. */
  reads = 0;
  writes = 0;

  /** The result of a read: a count, or -errno, which is returned. */
  countRead(n: number): number {
    if (n > 0) this.readBytes += n;
    return n;
  }

  /** The result of a write: a count, or -errno, which is returned. */
  countWrite(n: number): number {
    if (n > 0) this.writtenBytes += n;
    return n;
  }

  /** A call that moved `n` bytes from one file to another, or failed: it counts as a read and a write. */
  countCopy(n: number): void {
    this.reads++;
    this.writes++;
    this.countRead(n);
    this.countWrite(n);
  }

  add(other: IoCounts): void {
    this.readBytes += other.readBytes;
    this.writtenBytes += other.writtenBytes;
    this.reads += other.reads;
    this.writes += other.writes;
  }
}
