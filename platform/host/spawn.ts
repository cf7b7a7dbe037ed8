/** What the runtime calls of libplatform.so: the start and the end of sandbox processes, its terminal. */
import { SYS_ioctl } from "../abi/amd64/syscalls.ts";
import { openRarelyCalled } from "./library.ts";

const symbols = {
  dv_syscall: { parameters: ["i32", "f64", "f64", "f64", "f64", "f64", "f64"], result: "f64" },
  dv_sandbox_start: { parameters: ["i32", "buffer", "i32", "buffer"], result: "i32" },
  dv_sandbox_mount: { parameters: ["i32", "buffer", "buffer", "buffer"], result: "i32" },
  dv_sandbox_wait: { parameters: ["i32"], result: "i32", nonblocking: true },
  dv_sandbox_strip: { parameters: ["i32"], result: "i32" },
  dv_terminal_guard: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  dv_terminal_unwatch: { parameters: [], result: "void" },
  dv_terminal_release: { parameters: [], result: "void" },
  dv_read: { parameters: ["i32", "buffer", "u32"], result: "i32", nonblocking: true },
  dv_read_now: { name: "dv_read", parameters: ["i32", "buffer", "u32"], result: "i32" },
  dv_send_with_fds: { parameters: ["i32", "buffer", "u32", "buffer", "u32"], result: "i32" },
  dv_receive_with_fds: { parameters: ["i32", "buffer", "u32", "buffer"], result: "i32" },
  dv_write: { parameters: ["i32", "buffer", "u32", "u32"], result: "i32" },
  dv_trim: { parameters: [], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

export type SpawnLibrary = ReturnType<typeof openRarelyCalled<typeof symbols>>;

/** The most that dv_sandbox_mount and dv_receive_with_fds fill in. */
export const MAX_MOUNTS = 64;
/** One mount is the root. */
export const MAX_VOLUMES = MAX_MOUNTS - 1;
export const MAX_FDS = MAX_MOUNTS + 16;

let library: SpawnLibrary | null = null;

/** Loaded at the first call. */
export function spawnLibrary(): SpawnLibrary {
  return library ??= openRarelyCalled(symbols);
}

/** Any host system call; numbers are exact up to 2^53. Returns n or -errno. */
export function hostCall(nr: number, a0 = 0, a1 = 0, a2 = 0, a3 = 0): number {
  return spawnLibrary().dv_syscall(nr, a0, a1, a2, a3, 0, 0);
}

/** Where the bytes of a buffer lie, for a host call: they stay there while it is made. */
export function bufferAddr(buffer: ArrayBufferView<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)));
}

/** ioctl(2) with a buffer as argument. Returns n or -errno. */
export function hostIoctl(
  fd: number,
  request: number,
  buffer: ArrayBufferView<ArrayBuffer>,
): number {
  return hostCall(SYS_ioctl, fd, request, bufferAddr(buffer));
}
