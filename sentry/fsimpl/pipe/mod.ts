/** Pipes and FIFOs: pipe(7), fifo(7). */
import { O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY } from "../../../platform/abi/fcntl.ts";
import { newPipeFile, pipeFs } from "../../vfs/anon.ts";
import type { FileDescription } from "../../vfs/file.ts";
import { setFifoOpener } from "../../vfs/special.ts";
import { openFifo, PipeFile, pipeOf } from "./file.ts";
import { Pipe } from "./pipe.ts";

export { openFifo, Pipe, PipeFile, pipeOf };

setFifoOpener(openFifo);

/** pipe2(2)'s files: the read end and the write end, owned by the caller. */
export function newPipe(
  flags: number,
  uid: number,
  gid: number,
): [FileDescription, FileDescription] {
  const pipe = new Pipe();
  const inode = pipeFs.newInode(0o010600, uid, gid);
  inode.special = pipe;
  const reader = newPipeFile(
    inode,
    new PipeFile(pipe, true, false),
    O_RDONLY | (flags & O_NONBLOCK),
  );
  const writer = newPipeFile(
    inode,
    new PipeFile(pipe, false, true),
    O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)),
  );
  return [reader, writer];
}
