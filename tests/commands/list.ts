// What must run with the same output and exit status as natively: one row each.
// A row without the programs it needs is skipped. A script of this folder runs with what its name
// ends in; other words are for sh. The current directory is empty, $FIXTURES has what fixtures.ts made.

export type Row = readonly [name: string, script: string, needs?: string];

/** Scripts in files, many checks each. */
const FILES: readonly Row[] = [
  ["busybox on text", "busybox_text.sh", "busybox"],
  ["busybox on files", "busybox_files.sh", "busybox"],
  ["busybox on archives", "busybox_archives.sh", "busybox xz python3 ar"],
  ["busybox on the system", "busybox_system.sh", "busybox"],
  ["a POSIX shell", "shell.sh"],
  ["bash: coprocesses, jobs, arrays, process substitution", "features.bash", "bash bc"],
  ["bash at a terminal, with job control", "interactive_bash.py", "python3 bash"],
  ["coreutils on text", "coreutils_text.bash", "bash"],
  ["coreutils on files", "coreutils_files.sh"],
  ["coreutils on the system", "coreutils_system.sh", "setpriv"],
  ["access control lists", "acls.sh", "setfacl"],
  ["find, grep, sed, awk, diff, patch", "search.sh", "gawk patch file"],
  ["tar, gzip, xz and their like", "archives.bash", "bash xz bzip2"],
  ["git", "git.sh", "git"],
  ["perl forks, pipes, signals, sockets", "forks.pl", "perl"],
  ["python3 subprocesses and signals", "subprocesses.py", "python3"],
  ["python3 threads and multiprocessing", "threads.py", "python3"],
  ["python3 asyncio, epoll, poll, select", "events.py", "python3"],
  ["python3 mmap, sqlite3, locks, venv", "files.py", "python3"],
  ["python3 pty and termios", "terminals.py", "python3"],
  ["node workers, children, fs, streams", "runtime.js", "node"],
  ["a project of 20 files, gcc and make -j2", "project.sh", "gcc make"],
  ["static, dynamic, PIE, musl, huge, script and broken binaries", "binaries.sh", "gcc musl-gcc"],
];

/** One idea each. */
const LINES: readonly Row[] = [
  ["true", "true"],
  ["an exit status", "exit 42"],
  ["a signal's exit status", "sh -c 'kill -SEGV $$'; echo $?"],
  ["both output streams", "echo out; echo err >&2"],
  ["much output", "seq 200000"],
  ["output to a closed pipe", "yes | head -n 3; yes 2>/dev/null | true; echo $?"],
  ["no input", "cat; read x; echo $?"],
  ["the environment", "env | sort | grep -v '^_='"],
  ["the current directory", "pwd; cd ..; pwd -P; ls | head -1"],
  ["uname", "uname -s -m -o"],
  ["the root", "ls / | grep -xE 'bin|etc|usr|var|proc|sys|dev|tmp' | sort; ls -ld / | cut -c1-10"],
  ["dash runs the shell script", 'dash "$COMMANDS/shell.sh"', "dash"],
  ["bash runs the shell script", 'bash "$COMMANDS/shell.sh"', "bash"],
  ["busybox ash runs the shell script", 'busybox ash "$COMMANDS/shell.sh"', "busybox"],
  ["dpkg -l", "dpkg -l | md5sum; dpkg -S /bin/ls; dpkg -L coreutils | wc -l", "dpkg"],
  [
    "dpkg-deb",
    'mkdir -p p/DEBIAN p/usr; printf "Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: m\\nDescription: d\\n" >p/DEBIAN/control; dpkg-deb -b p >/dev/null && dpkg-deb -f p.deb && dpkg-deb -c p.deb | wc -l',
    "dpkg-deb",
  ],
  ["apt-cache", "apt-cache policy coreutils | head -n 2", "apt-cache"],
  ["find /usr | wc -l", "find /usr | wc -l"],
  [
    "every name, mode, owner, size and time below /etc and /usr/bin",
    "find /etc /usr/bin -not -type d -printf '%p %m %u %g %s %T@ %l\\n' | sort | md5sum",
  ],
  ["reading much", "cat /usr/bin/* 2>/dev/null | head -c 50000000 | md5sum"],
  ["ls -lR", "ls -lR /usr/include | md5sum"],
  ["du", "du -sb --apparent-size /usr/include | cut -f1"],
  // How wide a pid is printed follows from pid_max, which is the machine's.
  ["ps", "ps -o comm= -p $$; ps -e | head -1 | tr -s ' '", "ps"],
  ["top", "top -b -n 1 | head -c 4; top -bn1 | sed -n 7p | tr -s ' '", "top"],
  ["free", "free | awk 'NR == 1 || $2 < $3'", "free"],
  ["vmstat", "vmstat | wc -l", "vmstat"],
  ["lsof", "exec 9</etc/passwd; lsof -p $$ -a -d 9 -Fn | tail -1", "lsof"],
  [
    "pgrep and pkill",
    "exec 2>/dev/null; cp /bin/sleep napper; ./napper 77 & until pgrep -x napper | wc -l | grep 1; do :; done; pkill -x napper; wait $!; echo $?",
    "pgrep",
  ],
  ["pstree", "mkfifo p; (read x) <p & pstree -A $$ >tree; echo >p; wait; cat tree", "pstree"],
  [
    "script on a terminal",
    "script -qec 'tty | cut -c1-9; stty size; echo typed; exit 3' /dev/null </dev/null | tr -d '\\r'; echo $?",
    "script",
  ],
  ["less as a filter", "less /etc/hostname | wc -l", "less"],
  [
    "vim in batch",
    "printf 'a\\nb\\n' >f; vim -es -u NONE -c '%s/a/X/' -c wq f </dev/null; cat f",
    "vim",
  ],
  ["ed", "printf 'a\\nhello\\n.\\nw f\\nq\\n' | ed -s; cat f", "ed"],
  [
    "sqlite3",
    "sqlite3 db 'pragma journal_mode=wal; create table t(a); insert into t values(1),(2); select sum(a) from t; vacuum'; sqlite3 db .dump",
    "sqlite3",
  ],
  ["bc and dc", "echo '2^200; scale=20; 4*a(1)' | bc -l", "bc"],
  ["jq", `echo '{"a":[1,2,{"b":null}]}' | jq -c '.a[2], (.a|length)'`, "jq"],
  ["tclsh", "echo 'puts [exec echo from tcl]; puts [expr {6 * 7}]' | tclsh", "tclsh"],
  [
    "perl one-liners",
    `perl -e 'print "x" x 5, "\\n"; print sum() // "none"; use List::Util "sum"; print sum(1..10), "\\n"'; perl -MSocket -e 'print AF_UNIX, "\\n"'`,
    "perl",
  ],
  [
    "perl threads of pipes",
    `perl -e 'for (1..30) { open(my $p, "-|", "echo $_") or die; print <$p> }'`,
    "perl",
  ],
  [
    "python3 -c",
    "python3 -c 'import sys, platform, os; print(sys.version, platform.machine(), os.getcwd() == os.path.realpath(\".\"))'",
    "python3",
  ],
  [
    "python3 -m",
    "python3 -m json.tool <<<'{}' 2>/dev/null || echo '{\"a\": 1}' | python3 -m json.tool; python3 -m timeit -n 1 -r 1 pass >/dev/null; echo $?",
    "python3",
  ],
  [
    "python3 venv with pip",
    "python3 -m venv e && e/bin/pip --version | cut -d' ' -f1-2; e/bin/python -c 'import sys; print(sys.prefix == sys.base_prefix)'",
    "python3",
  ],
  [
    "python3 compileall",
    "cp -r /usr/lib/python3*/json j && python3 -m compileall -q j && ls j/__pycache__ | wc -l",
    "python3",
  ],
  [
    "python3 unittest of a standard module",
    "python3 -c 'import doctest, textwrap; print(doctest.testmod(textwrap))'; python3 -c 'import decimal, heapq, bisect; print(decimal.Decimal(2).sqrt())'",
    "python3",
  ],
  ["node -e", "node -e 'console.log([1, 2].map((x) => x * 2), process.argv.length)'", "node"],
  [
    "node -p with a WebAssembly module",
    `node -p 'new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,100,0,0,10,9,1,7,0,32,0,32,1,106,11))).exports.add(40, 2)'`,
    "node",
  ],
  ["npm", "npm --version | wc -l; npm init -y >/dev/null && grep -c version package.json", "npm"],
  [
    "gcc -E, -S, -c, -o",
    "echo 'int main(void) { return 9; }' >m.c; gcc -E m.c | wc -l; gcc -S m.c && grep -c main: m.s; gcc -c m.c && gcc -o m m.o && ./m; echo $?; gcc -dumpmachine",
    "gcc",
  ],
  [
    "g++ with exceptions and threads",
    `printf '#include <thread>\\n#include <iostream>\\n#include <stdexcept>\\nint main() { int n = 0; std::thread t([&] { n = 5; }); t.join(); try { throw std::runtime_error("thrown"); } catch (std::exception &e) { std::cout << e.what() << n << std::endl; } }' >t.cc; g++ -pthread -o t t.cc && ./t`,
    "g++",
  ],
  [
    "gdb-less debugging: addr2line and objdump",
    "echo 'int main(void) { return 0; }' >m.c; gcc -g -o m m.c; objdump -d m | grep -c main; readelf -h m | grep Type",
    "gcc objdump",
  ],
  [
    "make with many jobs and a failure",
    "printf 'all: a b c\\na b c:\\n\\t@sleep 0.05; echo done >$@\\nbad:\\n\\t@false\\n' >Makefile; make -s -j3 && cat a b c; make -s bad 2>&1; echo $?",
    "make",
  ],
  ["java", "java -version 2>&1 | wc -l", "java"],
  [
    "openssl",
    "echo data | openssl enc -aes-256-cbc -k p -pbkdf2 -S 0102030405060708 | openssl enc -d -aes-256-cbc -k p -pbkdf2 -S 0102030405060708 && openssl dgst -sha256 /etc/hostname | wc -c",
    "openssl",
  ],
  ["a big executable", '"$FIXTURES/huge" end', "gcc"],
  [
    "a setuid program",
    "cp /usr/bin/id i; chmod 4755 i; chown 1:1 i; setpriv --reuid 1000 --clear-groups ./i | sed 's/ .*euid/ euid/; s/(.*//'",
    "setpriv",
  ],
  [
    "files of other users",
    "echo x >f; chmod 600 f; setpriv --reuid 1000 --clear-groups cat f; echo $?",
    "setpriv",
  ],
  ["a FIFO between two programs", "mkfifo p; seq 1000 >p & tail -1 p; wait"],
  ["a hundred processes at once", "for i in $(seq 100); do (exit 0) & done; wait; echo done"],
  ["a deep pipeline", "seq 10 | cat | cat | cat | cat | cat | cat | cat | cat | tac | head -1"],
  [
    "a lock between two shells",
    "mkfifo p; (flock 9; echo first; echo >p; sleep 0.1; echo first ends) 9>l & read x <p; (flock 9; echo second) 9>l; wait",
    "flock",
  ],
  [
    "sort with temporary files and threads",
    "seq 300000 | shuf --random-source=/usr/bin/bash | sort -n -S 1M --parallel=2 | md5sum",
    "bash",
  ],
  ["xargs in parallel", "seq 50 | xargs -P 4 -n 1 sh -c 'exit 0'; echo $?"],
  ["timeouts", "timeout 0.1 sleep 10; echo $?; timeout -s INT 0.1 sleep 10; echo $?"],
  [
    "dd with holes and offsets",
    "dd if=/dev/zero of=f bs=1M seek=100 count=1 2>/dev/null; stat -c %s f; du -m f | cut -f1; cmp -n 1000 f /dev/zero && echo zeros",
  ],
  [
    "/dev and /proc of the guest",
    "echo x >/dev/null; head -c 3 /dev/zero | od -An -tx1; head -c 8 /dev/urandom | wc -c; ls -l /dev/fd/0 >/dev/null && echo fd; cat /proc/self/comm; tr '\\0' ' ' </proc/self/cmdline; cat /proc/sys/kernel/ostype; grep -c ^processor /proc/cpuinfo",
  ],
  [
    "a file written through another name",
    "ln -s real link; echo a >link; ln real hard; echo b >>hard; cat real; rm real; cat hard; cat link 2>&1",
  ],
  [
    "rename over and across",
    "mkdir a b; echo 1 >a/f; echo 2 >b/f; mv -f a/f b/f; cat b/f; mv b a/; find a",
  ],
  [
    "changing a file of the root",
    "cp /etc/hostname before; echo changed >/etc/dvisor-new; cat /etc/dvisor-new; rm /etc/dvisor-new; ls /etc/dvisor-new 2>&1",
  ],
  [
    "ulimits",
    "ulimit -c; ulimit -S -s; (ulimit -n 99; ulimit -n); (ulimit -v 100000; python3 -c 'bytearray(200 << 20)' 2>&1 | tail -1)",
    "python3",
  ],
];

export const ROWS: readonly Row[] = [...LINES, ...FILES];
