/** The seccomp filter of the Sentry/Gofer process: what it refuses, and what ends the process. */
import { assertEquals } from "@std/assert";
import { programPath } from "./sandbox.ts";

const EXPECTED: Record<string, string> = {
  getpid: "done",
  memfd: "done",
  thread: "done",
  unix_pair: "done",
  execve: "killed",
  execveat: "killed",
  fork: "killed",
  vfork: "killed",
  clone_process: "killed",
  clone_user_namespace: "killed",
  clone3: "ENOSYS",
  unshare: "killed",
  setns: "killed",
  mount: "killed",
  umount: "killed",
  open_tree: "killed",
  pivot_root: "killed",
  chroot: "killed",
  ptrace: "killed",
  bpf: "killed",
  perf_event_open: "killed",
  io_uring: "killed",
  userfaultfd: "killed",
  keyctl: "killed",
  open_by_handle: "killed",
  inet_socket: "killed",
  unix_socket: "killed",
  inet_pair: "EPERM",
  ioctl_type_for_user: "EPERM",
  set_dumpable: "EPERM",
  setuid: "EPERM",
  settime: "EPERM",
  x32_getpid: "killed",
};

Deno.test("a sealed process can make no call that it has no business with", async () => {
  const { stdout } = await new Deno.Command(programPath("seal")).output();
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  const seen = Object.fromEntries(lines.map((line) => line.split(": ")));
  // A kernel without 32-bit emulation faults before the filter is asked.
  const int80 = seen.int80_getpid;
  assertEquals(int80 === "killed" || int80 === "Segmentation fault", true, `int80: ${int80}`);
  delete seen.int80_getpid;
  assertEquals(seen, EXPECTED);
});
