/** Host I/O for kernel buffers. Imported for its effect, by whoever has a host (not by unit tests). */
import {
  hostAlloc,
  type HostBuffer,
  preadFd,
  preadv2,
  pwriteFd,
  pwritev2,
} from "../../platform/host/host.ts";
import { setKernelHostIo } from "./kernel_io.ts";

const STAGE_SIZE = 65536;
let stage: HostBuffer | null = null;

/** Calls with RWF_* flags need a fixed address: they go through a staging buffer. */
setKernelHostIo({
  read(fd, buf, start, end, offset, rwf) {
    if (rwf === 0) return preadFd(fd, buf, start, end, offset);
    stage ??= hostAlloc(STAGE_SIZE);
    const n = preadv2(fd, stage.addr, Math.min(end - start, STAGE_SIZE), offset, rwf);
    if (n > 0) buf.set(stage.u8.subarray(0, n), start);
    return n;
  },
  write(fd, buf, start, end, offset, rwf) {
    if (rwf === 0) return pwriteFd(fd, buf, start, end, offset);
    stage ??= hostAlloc(STAGE_SIZE);
    const n = Math.min(end - start, STAGE_SIZE);
    stage.u8.set(buf.subarray(start, start + n));
    return pwritev2(fd, stage.addr, n, offset, rwf);
  },
});
