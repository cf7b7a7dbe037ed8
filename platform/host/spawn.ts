/** What the runtime calls of libplatform.so: the start and the end of sandbox processes. */
import { openLibrary } from "./library.ts";

const symbols = {
  dv_syscall: { parameters: ["i32", "f64", "f64", "f64", "f64", "f64", "f64"], result: "f64" },
  dv_sandbox_spawn: { parameters: ["buffer", "u32", "buffer"], result: "i32" },
  dv_sandbox_wait: { parameters: ["i32"], result: "i32", nonblocking: true },
  dv_sandbox_strip: { parameters: ["i32"], result: "i32" },
  dv_read: { parameters: ["i32", "buffer", "u32"], result: "i32", nonblocking: true },
  dv_read_now: { name: "dv_read", parameters: ["i32", "buffer", "u32"], result: "i32" },
  dv_write: { parameters: ["i32", "buffer", "u32", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

export type SpawnLibrary = ReturnType<typeof openLibrary<typeof symbols>>;

let library: SpawnLibrary | null = null;

/** Loaded at the first call. */
export function spawnLibrary(): SpawnLibrary {
  return library ??= openLibrary(symbols);
}
