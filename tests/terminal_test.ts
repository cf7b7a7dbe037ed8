/** `dvisor do` on a terminal: what is typed, shown and signalled is as it is without a sandbox. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { spawnLibrary } from "../platform/host/spawn.ts";
import { sandboxed } from "./runs.ts";
import { descendants, DVISOR, identify, isAlive, until } from "./sandbox.ts";
import { Terminal } from "./terminal.ts";

spawnLibrary(); // Loaded for good: no leak of the first test.

/** The terminal, and the words that run a command on the platform under test: none natively. */
type Scenario = (terminal: Terminal, before: string[]) => Promise<void>;

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const CTRL_Z = "\x1a";
const CTRL_BACKSLASH = "\x1c";
const ESCAPE = "\x1b";
const PROMPT = "@@ ";

const BASH = ["bash", "--norc", "--noprofile", "-i"];
/** Says so, not as the terminal echoes it, when it is in the foreground; then waits to be told to end. */
const WAITING = `sh -c 'echo wait""ing; exec sleep 100'`;

async function atPrompt(terminal: Terminal, line: string): Promise<void> {
  terminal.type(line + "\r");
  await terminal.expect(line + "\r\n");
}

/** For a shell: waits until its one job is stopped. */
const STOPPED = `until [ $(jobs -s | wc -l) = 1 ]; do sleep 0.01; done; echo sto""pped`;

/** For a shell: waits until a program is there in the same process group, which a signal for all would miss before. */
const TOGETHER = "together() { until pgrep -g 0 -x $1; do sleep 0.01; done >/dev/null; }";

/** Starts a line as a background job of the shell on the terminal, and waits until the job is stopped. */
async function startStopped(terminal: Terminal, line: string): Promise<void> {
  await atPrompt(terminal, `${line} &`);
  await atPrompt(terminal, STOPPED);
  await terminal.expect("stopped\r\n");
  await terminal.expect("%% ");
}

/** Ends in a background job that no shell could continue. */
const ORPHAN =
  "$p = $$; exit if fork; setpgrp; select undef, undef, undef, 0.01 while getppid == $p; exec @ARGV";

async function exits(child: Deno.ChildProcess, code: number): Promise<void> {
  assertEquals((await child.status).code, code);
}

const SCENARIOS: Record<string, Scenario> = {
  async "a line is edited as it is typed, and Ctrl-D ends the input"(t, before) {
    const child = t.run([...before, "sh", "-c", "echo up; cat; echo end"]);
    await t.expect("up\r\n");
    t.type("abx"); // Echoed before the line is complete.
    await t.expect("abx");
    t.type("\x7fc\r");
    await t.expect("\b \bc\r\nabc\r\n");
    t.type("one two\x17three\x15four\r");
    await t.expect("\r\nfour\r\n");
    t.type(CTRL_D);
    await t.expect("end\r\n");
    await exits(child, 0);
  },

  async "Ctrl-C and Ctrl-\\ end what runs in an interactive bash, not bash"(t, before) {
    const settings = t.settings();
    const child = t.run([...before, ...BASH]);
    await t.expect(PROMPT);
    await atPrompt(t, WAITING);
    await t.expect("waiting\r\n");
    t.type(CTRL_C);
    await t.expect("^C");
    await t.expect(PROMPT);
    await atPrompt(t, "echo $?");
    await t.expect("130\r\n");
    await atPrompt(t, WAITING);
    await t.expect("waiting\r\n");
    t.type(CTRL_BACKSLASH);
    await t.expect("^\\Quit");
    await t.expect(PROMPT);
    await atPrompt(t, "echo $?");
    await t.expect("131\r\n");
    t.type("exit 7x\x7f\r");
    await exits(child, 7);
    assertEquals(t.settings(), settings);
  },

  async "an interactive bash has job control"(t, before) {
    const child = t.run([...before, ...BASH]);
    await t.expect(PROMPT);
    // A shell's loop would not do: while it waits in vfork(2) it is not stopped.
    const waiting =
      '$|=1; $SIG{CONT}=sub{print "contin"."ued\\n"}; print "wait"."ing\\n"; sleep 9 while 1';
    await atPrompt(t, `perl -e '${waiting}'`);
    await t.expect("waiting\r\n");
    t.type(CTRL_Z);
    await t.expect("Stopped");
    await t.expect(PROMPT);
    await atPrompt(t, "cat & until [ $(jobs -s | wc -l) = 2 ]; do sleep 0.01; done; jobs");
    await t.expect("[1]-  Stopped");
    await t.expect("[2]+  Stopped");
    await t.expect(PROMPT);
    await atPrompt(t, "bg %1");
    await t.expect("continued\r\n");
    await atPrompt(t, "fg %2");
    await t.expect("cat\r\n");
    t.type("typed\r");
    await t.expect("typed\r\ntyped\r\n");
    t.type(CTRL_D);
    await t.expect(PROMPT);
    await atPrompt(t, "kill -STOP %1; until [ $(jobs -s | wc -l) = 1 ]; do sleep 0.01; done; fg");
    await t.expect("continued\r\n");
    t.type(CTRL_C);
    await t.expect(PROMPT);
    await atPrompt(t, "jobs; exit 4");
    await exits(child, 4);
  },

  async "the window's size is the guest's, and SIGWINCH tells of another one"(t, before) {
    const script = `tty </dev/tty >/dev/null && echo controlled; stty size
      trap 'stty size; exit 3' WINCH; echo set; while :; do sleep 0.01; done`;
    const child = t.run([...before, "sh", "-c", script]);
    await t.expect("controlled\r\n24 160\r\nset\r\n");
    t.resize(40, 132);
    await t.expect("40 132\r\n");
    await exits(child, 3);
  },

  async "less, vi and top take the whole screen and give it back"(t, before) {
    const child = t.run([...before, ...BASH], { TERM: "xterm" });
    await t.expect(PROMPT);
    t.type("cd $(mktemp -d); seq 200 >f; less f\r");
    await t.expect("23\r\n");
    t.type("G");
    await t.expect("200\r\n");
    t.type("?^7$\r"); // Searches upwards.
    await t.expect("29\r\n");
    t.type("q");
    await t.expect(PROMPT);
    t.type("busybox vi f\r");
    await t.expect("1/200");
    t.type("iinserted");
    await t.expect("inserted");
    t.type(ESCAPE);
    await t.expect("[Modified]");
    t.type(":wq\r");
    await t.expect(PROMPT);
    t.type("head -1 f\r");
    await t.expect(/\rinserted1\r\n/);
    await t.expect(PROMPT);
    t.type("top\r");
    await t.expect("load average");
    t.type("q");
    await t.expect(PROMPT);
    t.type("rm -r $PWD; exit\r");
    await exits(child, 0);
  },

  async "Ctrl-Z stops a command that controls no jobs, and fg goes on with it"(t, before) {
    const shell = t.run(BASH, { PS1: "%% " });
    await t.expect("%% ");
    const settings = t.settings();
    const command = [...before, "sh", "-c", "'echo up; read x; echo got $x; exit 5'"];
    t.type(command.join(" ") + "\r");
    await t.expect(/\rup\r\n|\nup\r\n/);
    t.type(CTRL_Z);
    await t.expect("Stopped");
    await t.expect("%% ");
    assertEquals(t.settings(), settings);
    t.resize(30, 90);
    await atPrompt(t, "echo typed"); // The shell gets it.
    await t.expect("typed\r\n");
    t.type("fg\r");
    await t.expect(/exit 5'\r\n/);
    t.type("it\r");
    await t.expect("it\r\ngot it\r\n");
    await t.expect("%% ");
    await atPrompt(t, "echo $?; exit");
    await t.expect("5\r\n");
    await exits(shell, 0);
  },

  async "a command in the background leaves the keyboard to the shell"(t, before) {
    const shell = t.run(BASH, { PS1: "%% " });
    await t.expect("%% ");
    const settings = t.settings();
    const command = [...before, "sh", "-c", `'echo u""p; sleep 0.2; echo d""one; cat' &`];
    t.type(command.join(" ") + "\r");
    await t.expect(/up\r+\n/);
    assertEquals(t.settings(), settings);
    await atPrompt(t, `echo typed`);
    await t.expect("typed\r\n");
    await t.expect(/done\r+\n/);
    await atPrompt(t, STOPPED); // Before, fg could meet the signal that stops it.
    await t.expect("stopped\r\n");
    await atPrompt(t, "fg");
    await t.expect(/(?:^|\n)[^[\r\n][^\r\n]*; cat'\r\n/); // What fg says, not that it is stopped.
    t.type("typed\r");
    await t.expect("typed\r\ntyped\r\n");
    t.type(CTRL_D);
    await t.expect("%% ");
    await atPrompt(t, "exit");
    await exits(shell, 0);
  },

  async "a command in the background that reads the terminal is stopped, and fg goes on with it"(
    t,
    before,
  ) {
    const shell = t.run(BASH, { PS1: "%% " });
    await t.expect("%% ");
    await startStopped(t, `${before.join(" ")} sh -c 'cat; exit 5'`);
    await atPrompt(t, `bg; ${STOPPED}`); // It reads again.
    await t.expect("stopped\r\n");
    await t.expect("%% ");
    await atPrompt(t, "fg");
    await t.expect("exit 5'\r\n");
    t.type("typed\r");
    await t.expect("typed\r\ntyped\r\n");
    t.type(CTRL_D);
    await t.expect("%% ");
    await atPrompt(t, "echo $?; exit");
    await t.expect("5\r\n");
    await exits(shell, 0);
  },

  async "a command in the background that no shell could continue reads EIO"(t, before) {
    const script = `perl -e "$0" "$@"; read line; exit 3`;
    const child = t.run(["sh", "-c", script, ORPHAN, ...before, "cat"]);
    await t.expect(/cat: -: Input\/output error\r+\n/);
    t.type("\r");
    await exits(child, 3);
  },

  async "a background job that reads the terminal and writes a pipe is stopped, and fg goes on with it"(
    t,
    before,
  ) {
    const shell = t.run(BASH, { PS1: "%% " });
    await t.expect("%% ");
    await atPrompt(t, TOGETHER);
    const command = `${before.join(" ")} sh -c 'cat; echo c'`;
    await startStopped(t, `{ together sort; ${command}; } | sort -r`);
    await atPrompt(t, "echo typed"); // The shell gets it.
    await t.expect("typed\r\n");
    await atPrompt(t, `bg; ${STOPPED}`); // It reads again.
    await t.expect("stopped\r\n");
    await t.expect("%% ");
    await atPrompt(t, "fg");
    await t.expect("sort -r\r\n");
    t.type("a\rb\r");
    await t.expect("a\r\nb\r\n");
    t.type(CTRL_D);
    await t.expect("c\r\nb\r\na\r\n");
    await t.expect("%% ");
    await atPrompt(t, "exit");
    await exits(shell, 0);
  },

  async "a background job that writes a pipe and is brought to the foreground before it reads is not stopped"(
    t,
    before,
  ) {
    const shell = t.run(BASH, { PS1: "%% " });
    await t.expect("%% ");
    await atPrompt(t, `${before.join(" ")} sh -c 'sleep 0.5; cat; echo c' | sort -r &`);
    await atPrompt(t, "fg");
    await t.expect("sort -r\r\n");
    t.type("a\rb\r");
    await t.expect("a\r\nb\r\n");
    t.type(CTRL_D);
    assertEquals(await t.expect("c\r\nb\r\na\r\n"), "");
    await t.expect("%% ");
    await atPrompt(t, "exit");
    await exits(shell, 0);
  },

  async "a background job that reads /dev/tty, its streams elsewhere, is stopped, and fg goes on with it"(
    t,
    before,
  ) {
    const shell = t.run(BASH, { PS1: "%% " });
    await t.expect("%% ");
    const script = "read x </dev/tty; echo got $x >&2";
    await startStopped(t, `${before.join(" ")} sh -c '${script}' </dev/null >/dev/null`);
    await atPrompt(t, "fg");
    await t.expect("> /dev/null\r\n");
    t.type("it\r");
    await t.expect("it\r\ngot it\r\n");
    await t.expect("%% ");
    await atPrompt(t, "exit");
    await exits(shell, 0);
  },

  async "a background job that changes a terminal it does not write is stopped, and fg goes on with it"(
    t,
    before,
  ) {
    const shell = t.run(BASH, { PS1: "%% " });
    await t.expect("%% ");
    const settings = t.settings();
    const script = "stty -echo; stty -a | grep -ow -e -echo >&2";
    await startStopped(t, `${before.join(" ")} sh -c '${script}' >/dev/null`);
    assertEquals(t.settings(), settings);
    await atPrompt(t, "fg");
    await t.expect("> /dev/null\r\n");
    await t.expect("-echo\r\n");
    await t.expect("%% ");
    await atPrompt(t, "exit");
    await exits(shell, 0);
  },

  async "a background job that ignores SIGTTIN, or that no shell could continue, reads EIO before a pipe, too"(
    t,
    before,
  ) {
    const shell = t.run(BASH, { PS1: "%% " });
    await t.expect("%% ");
    await atPrompt(t, `${before.join(" ")} sh -c 'trap "" TTIN; cat' | cat & wait`);
    await t.expect(/cat: -: Input\/output error\r+\n/);
    await t.expect("%% ");
    await atPrompt(t, "exit");
    await exits(shell, 0);
    const line = `${before.join(" ")} sh -c cat | cat`;
    const child = t.run(["sh", "-c", `perl -e "$0" sh -c "$1"; read line; exit 3`, ORPHAN, line]);
    await t.expect(/cat: -: Input\/output error\r+\n/);
    t.type("\r");
    await exits(child, 3);
  },

  async "Ctrl-Z stops a command that writes a pipe, and fg goes on with it"(t, before) {
    const shell = t.run(BASH, { PS1: "%% " });
    await t.expect("%% ");
    t.type(`${before.join(" ")} sh -c 'echo up; read x; echo got $x' | sed -u s/^/also./\r`);
    await t.expect("also.up\r\n");
    t.type(CTRL_Z);
    await t.expect("Stopped");
    await t.expect("%% ");
    await atPrompt(t, "echo typed"); // The shell gets it.
    await t.expect("typed\r\n");
    t.type("fg\r");
    await t.expect("also./\r\n");
    t.type("it\r");
    await t.expect("it\r\nalso.got it\r\n");
    await t.expect("%% ");
    await atPrompt(t, "exit");
    await exits(shell, 0);
  },

  async "Ctrl-Z does nothing where no shell could continue the command"(t, before) {
    const child = t.run([...before, "sh", "-c", "echo up; read x; echo got $x"]);
    await t.expect("up\r\n");
    t.type(CTRL_Z);
    await t.expect("^Z");
    t.type("it\r");
    await t.expect("got it\r\n");
    await exits(child, 0);
  },

  async "a pager at the end of a pipe reads its keys from the terminal"(t, before) {
    const line = `seq 200 | ${before.join(" ")} sh -c 'less'`;
    const child = t.run(["sh", "-c", line], { TERM: "xterm" });
    await t.expect("23\r\n");
    t.type("G");
    await t.expect("200\r\n");
    t.type("q");
    await exits(child, 0);
  },

  async "Ctrl-C ends all of a pipeline"(t, before) {
    const line = `${before.join(" ")} sh -c 'sh -c "echo up; exec sleep 100"; echo not this' | cat`;
    const child = t.run(["sh", "-c", line]);
    await t.expect("up\r\n");
    t.type(CTRL_C);
    await exits(child, 130);
  },

  async "Ctrl-C ends the loop of a shell, too, that runs commands"(t, before) {
    const child = t.run(BASH);
    await t.expect(PROMPT);
    await atPrompt(t, `for i in 1 2; do ${before.join(" ")} ${WAITING}; echo not this; done`);
    await t.expect("waiting\r\n");
    t.type(CTRL_C);
    assertEquals(await t.expect(PROMPT), "^C\r\n");
    await atPrompt(t, "exit");
    await exits(child, 130);
  },

  async "Ctrl-C ends a script, too, that runs commands"(t, before) {
    const child = t.run(["bash", "-c", `${before.join(" ")} ${WAITING}; echo not this; exit 4`]);
    await t.expect("waiting\r\n");
    t.type(CTRL_C);
    await exits(child, 130);
  },

  async "an error stream of its own does not go to the terminal"(t, before) {
    const line = `${before.join(" ")} sh -c 'echo out; echo error >&2' 2>&1 >&3 | sed s/^/also./`;
    const child = t.run(["sh", "-c", `exec 3>&1; ${line}`]);
    await t.expect("out\r\n");
    await t.expect("also.error");
    await exits(child, 0);
  },
};

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  for (const { platform, command } of [{ platform: "native", command: [] }, ...sandboxed()]) {
    Deno.test(`${name} (${platform})`, async () => {
      await using terminal = new Terminal();
      await scenario(terminal, command);
    });
  }
}

const SLEEPING = [DVISOR, "do", "--", "sh", "-c", "echo up; exec sleep 100"];

for (const signal of ["SIGTERM", "SIGHUP", "SIGINT", "SIGALRM", "SIGKILL"] as const) {
  Deno.test(`the terminal is put back after ${signal}, and nothing is left`, async () => {
    await using terminal = new Terminal();
    const settings = terminal.settings();
    const child = terminal.run(SLEEPING);
    await terminal.expect("up\r\n");
    assertNotEquals(terminal.settings(), settings);
    const processes = identify(descendants(child.pid));
    child.kill(signal);
    await child.status;
    await until("all are gone", () => !processes.some(isAlive));
    assertEquals(terminal.settings(), settings);
  });
}

for (
  const [keys, key, code] of [["Ctrl-C", CTRL_C, 130], ["Ctrl-\\", CTRL_BACKSLASH, 131]] as const
) {
  Deno.test(`the terminal is put back when the guest dies of ${keys}`, async () => {
    await using terminal = new Terminal();
    const settings = terminal.settings();
    const child = terminal.run(SLEEPING);
    await terminal.expect("up\r\n");
    terminal.type(key);
    await exits(child, code);
    assertEquals(terminal.settings(), settings);
  });
}

Deno.test("the terminal is put back when the sandbox process is killed", async () => {
  await using terminal = new Terminal();
  const settings = terminal.settings();
  const child = terminal.run(SLEEPING);
  await terminal.expect("up\r\n");
  const sandbox = descendants(child.pid).find((pid) =>
    Deno.readTextFileSync(`/proc/${pid}/cmdline`).startsWith("dvisor-sandbox")
  );
  Deno.kill(sandbox!, "SIGKILL");
  await exits(child, 128);
  assertEquals(terminal.settings(), settings);
});

Deno.test("what a guest writes to its terminal does not wake the command", async () => {
  await using terminal = new Terminal();
  const script = "echo up; read x; for i in $(seq 400); do echo $i; done; echo done; read x";
  const child = terminal.run([DVISOR, "do", "--", "sh", "-c", script]);
  const sleeps = () =>
    Number(
      /^voluntary_ctxt_switches:\t(\d+)/m.exec(
        Deno.readTextFileSync(`/proc/${child.pid}/status`),
      )![1],
    );
  await terminal.expect("up\r\n");
  const before = sleeps();
  terminal.type("\r");
  await terminal.expect("done\r\n");
  const woken = sleeps() - before;
  assert(woken < 20, `${woken} times`);
  terminal.type("\r");
  await exits(child, 0);
});

Deno.test("SIGHUP reaches the guest, whose terminal stays", async () => {
  await using terminal = new Terminal();
  const script =
    `trap 'echo hup; read x; echo got $x; exit 3' HUP; echo up; while :; do sleep 0.01; done`;
  const child = terminal.run([DVISOR, "do", "--", "bash", "-c", script]);
  await terminal.expect("up\r\n");
  child.kill("SIGHUP");
  await terminal.expect("hup\r\n");
  terminal.type("it\r");
  await terminal.expect("got it\r\n");
  await exits(child, 3);
});

Deno.test("the library gives a guest what is typed on the caller's terminal, unless it is told otherwise", async () => {
  await using terminal = new Terminal();
  const program = `
    import { Sandbox } from "${new URL("../mod.ts", import.meta.url)}";
    const command = ["sh", "-c", "echo up >&2; read x; echo got $x; exit 3"];
    const sandbox = Sandbox.start({ command, stdout: "piped", binary: "${DVISOR}" });
    console.log(await new Response(sandbox.stdout).text());
    Deno.exit((await sandbox.status).code);`;
  const child = terminal.run([Deno.execPath(), "eval", program]);
  await terminal.expect("up\r\n");
  terminal.type("it\r");
  await terminal.expect("got it");
  await exits(child, 3);
});

Deno.test("closing the window hangs the guest up, and nothing is left", async () => {
  await using terminal = new Terminal();
  const child = terminal.run([DVISOR, "do", "--", ...BASH]);
  await terminal.expect(PROMPT);
  await atPrompt(terminal, WAITING);
  await terminal.expect("waiting\r\n");
  const processes = identify(descendants(child.pid));
  terminal.close();
  await exits(child, 129);
  await until("all are gone", () => !processes.some(isAlive));
});

Deno.test("closing the window hangs up all that the command has started in its process group", async () => {
  for (const { command } of sandboxed()) {
    await using terminal = new Terminal();
    // The shell heeds its trap when the other has ended.
    const script = 'trap "exit 3" HUP; sh -c \'echo wait""ing; exec sleep 100\'; exit 4';
    const child = terminal.run([...command, "sh", "-c", script]);
    await terminal.expect("waiting\r\n");
    terminal.close();
    await exits(child, 3);
  }
});
