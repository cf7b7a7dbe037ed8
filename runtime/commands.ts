/** The commands and their flags. */
import type { Command } from "./flags.ts";

export const DO: Command = {
  name: "do",
  operands: "[--] COMMAND [ARG...]",
  summary: "Runs a command in a sandbox of its own.",
  details:
    "The command sees the host's files, under an overlay in memory: what it writes is gone with " +
    "the sandbox.\nIts exit status is the command's: 128+N when signal N ended it, 127 when the command " +
    "is not found,\n126 when it cannot be executed, 125 when the sandbox cannot be made, 2 for a wrong " +
    "use of dvisor.",
  flags: [
    {
      name: "root",
      value: "DIR",
      help: "use this directory as the root file system, not the host's",
    },
    {
      name: "cwd",
      value: "DIR",
      help: "working directory in the sandbox; default: the current one, but with --root alone /",
    },
    { name: "env", value: "K=V", repeats: true, help: "set a variable; K alone removes it" },
    { name: "user", value: "UID[:GID]", help: "run as this user; GID is UID where it is left out" },
    {
      name: "volume",
      value: "SRC:DST[:ro|:rw]",
      repeats: true,
      help: "show the host's SRC at DST, read-only unless :rw",
    },
    { name: "rw", help: "write the current directory through to the host" },
    { name: "hostname", value: "NAME", help: "the sandbox's host name; default: the host's" },
    {
      name: "platform",
      value: "systrap|ptrace",
      help: "how guest code runs; default: what the host allows",
    },
    {
      name: "strace",
      value: "NAMES",
      optional: true,
      help:
        "trace system calls, all or those named (comma-separated), on stderr or in the debug log",
    },
    { name: "debug-log", value: "DIR", help: "write debug logs into this directory" },
    {
      name: "log-format",
      value: "text|json",
      help: "format of the debug logs and the trace; default: text",
    },
  ],
};

export const SYSCALLS: Command = {
  name: "syscalls",
  operands: "",
  summary: "Prints the system calls of Linux and how far dvisor serves each.",
  flags: [
    { name: "format", value: "table|json|csv", help: "default: table" },
  ],
};

export const COMMANDS: readonly Command[] = [DO, SYSCALLS];

export function generalHelp(): string {
  const width = Math.max(...COMMANDS.map((c) => c.name.length));
  return "Usage: dvisor COMMAND [flags] [args]\n\n" +
    "An application kernel for containers: programs run, their system calls are served by dvisor.\n\n" +
    "Commands:\n" +
    COMMANDS.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}\n`).join("") +
    "\n`dvisor COMMAND --help` tells more; `dvisor --version` prints the version.\n";
}
