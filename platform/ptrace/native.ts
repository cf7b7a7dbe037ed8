/** What the ptrace platform calls of libplatform.so (platform/native/host/ptrace.c). */
import { openLibrary } from "../host/library.ts";

const symbols = {
  dv_spawn_zygote_traced: { parameters: ["i32", "i32", "i32"], result: "i32" },
  dv_pt_start: { parameters: ["i32", "i32", "i32"], result: "i32" },
  dv_pt_shutdown: { parameters: [], result: "void" },
  dv_pt_address: { parameters: ["i32"], result: "f64" },
  dv_pt_record: { parameters: ["i32"], result: "pointer" },
  dv_pt_call: {
    parameters: ["i32", "i32", "f64", "f64", "f64", "f64", "f64", "f64"],
    result: "f64",
  },
  dv_pt_mmap_fd: { parameters: ["i32", "f64", "f64", "i32", "i32", "i32", "f64"], result: "f64" },
  dv_pt_clone: { parameters: ["i32", "i32"], result: "i32" },
  dv_pt_save_fp: { parameters: ["i32", "f64"], result: "i32" },
  dv_pt_load_fp: { parameters: ["i32", "f64"], result: "i32" },
  dv_pt_resume: { parameters: ["i32", "i32"], result: "void" },
  dv_pt_interrupt: { parameters: ["i32"], result: "void" },
  dv_pt_release: { parameters: ["i32", "i32"], result: "void" },
  dv_pt_wait: { parameters: ["f64"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** What dv_pt_address tells. */
export const SCRATCH_BASE = 1;
export const TASK_SIZE_GUEST = 2;

type PtraceLibrary = Deno.DynamicLibrary<typeof symbols>["symbols"];

let library: PtraceLibrary | null = null;

/** Loaded at the first call. */
export function ptraceLibrary(): PtraceLibrary {
  return library ??= openLibrary(symbols);
}
