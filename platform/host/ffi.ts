/**
 * What Sentry and Gofer call of libplatform.so (platform/native/host); every Worker of a process gets
 * the same instance of it. The command's own part is in spawn.ts, the ptrace platform's in its folder.
 */
import { openLibrary, openRarelyCalled } from "./library.ts";

const oftenCalled = {
  // host.c
  dv_syscall: { parameters: ["i32", "f64", "f64", "f64", "f64", "f64", "f64"], result: "f64" },
  dv_pread: { parameters: ["i32", "buffer", "u32", "u32", "f64"], result: "i32" },
  dv_pwrite: { parameters: ["i32", "buffer", "u32", "u32", "f64"], result: "i32" },
  dv_clock_ns: { parameters: ["i32"], result: "f64" },
  dv_clock: { parameters: ["i32", "buffer"], result: "void" },
  // platform.c
  dv_resume: { parameters: ["i32", "i32", "i32", "i32", "i32"], result: "void" },
  dv_poll: { parameters: ["f64"], result: "i32" },
  dv_resume_and_poll: { parameters: ["i32", "i32", "i32", "i32", "f64"], result: "i32" },
  dv_wait_slot: { parameters: ["i32", "i32", "i32", "f64"], result: "i32" },
  dv_read_guest: { parameters: ["i32", "f64", "buffer", "u32", "u32"], result: "i32" },
  dv_write_guest: { parameters: ["i32", "f64", "buffer", "u32", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const rarelyCalled = {
  // host.c
  dv_alloc: { parameters: ["u32"], result: "pointer" },
  dv_map_shared: { parameters: ["i32", "f64", "f64"], result: "pointer" },
  dv_unmap: { parameters: ["pointer", "f64"], result: "i32" },
  dv_auxval: { parameters: ["i32"], result: "f64" },
  dv_fp_state: { parameters: ["buffer"], result: "void" },
  dv_random: { parameters: ["buffer", "u32", "u32"], result: "i32" },
  // platform.c
  dv_shared_page: { parameters: [], result: "pointer" },
  dv_chore: { parameters: ["i32"], result: "void" },
  dv_background: { parameters: ["i32"], result: "void" },
  dv_foreground: { parameters: ["i32", "i32"], result: "void" },
  dv_place: { parameters: [], result: "void" },
  dv_cpus: { parameters: [], result: "i32" },
  dv_spawn_zygote: { parameters: ["i32", "i32", "i32", "i32"], result: "i32" },
  dv_socketpair: { parameters: ["buffer"], result: "i32" },
  dv_send_fds: { parameters: ["i32", "u32", "i32", "i32", "i32", "i32"], result: "i32" },
  dv_receive_pid: { parameters: ["i32", "i32", "i32"], result: "i32" },
  dv_receive_zygote: { parameters: ["i32", "i32"], result: "i32" },
  dv_expect_clone: { parameters: ["i32", "i32"], result: "i32" },
  dv_unexpect_clone: { parameters: ["i32", "i32"], result: "void" },
  dv_forget_clones: { parameters: ["i32"], result: "void" },
  dv_next_child: { parameters: ["i32", "i32"], result: "i32" },
  dv_slot_register: { parameters: ["i32", "pointer"], result: "i32" },
  dv_slot_is_active: { parameters: ["i32"], result: "i32" },
  dv_slot_deactivate: { parameters: ["i32"], result: "void" },
  dv_ring: { parameters: [], result: "void" },
  dv_wait: { parameters: ["f64"], result: "i32" },
  dv_reap: { parameters: ["buffer"], result: "i32" },
  dv_interrupt: { parameters: ["i32", "i32"], result: "i32" },
  dv_nobody_at: { parameters: ["i32"], result: "i32" },
  dv_patch: { parameters: ["f64", "buffer"], result: "i32" },
  dv_kill: { parameters: ["i32"], result: "i32" },
  // poller.c
  dv_poller_start: { parameters: [], result: "i32" },
  dv_poller_watch: { parameters: ["i32", "u32", "u32"], result: "i32" },
  dv_poller_forget: { parameters: ["i32"], result: "i32" },
  dv_poller_take: { parameters: ["buffer"], result: "i32" },
  // seccomp.c
  dv_seal: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

export type PlatformLibrary = Deno.DynamicLibrary<
  typeof oftenCalled & typeof rarelyCalled
>["symbols"];

export const native: PlatformLibrary = {
  ...openLibrary(oftenCalled),
  ...openRarelyCalled(rarelyCalled),
};

/** The bytes at `pointer` as an ArrayBuffer that native code and TypeScript share. */
export function viewMemory(pointer: Deno.PointerObject, length: number): ArrayBuffer {
  return Deno.UnsafePointerView.getArrayBuffer(pointer, length);
}

export function addressOf(pointer: Deno.PointerObject): number {
  return Number(Deno.UnsafePointer.value(pointer));
}
