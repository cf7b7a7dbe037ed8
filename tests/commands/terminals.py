# python3: pty.spawn, pty.fork, termios, and a child that reads a password.
import os, pty, sys, termios, tty

pid, master = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", "stty -echo; echo ready; read x; echo got $x; stty echo; tty >/dev/null && echo is a tty; stty -a | grep -c isig"])
out = b""
while b"ready" not in out:
    out += os.read(master, 1000)
os.write(master, b"secret\n")
try:
    while chunk := os.read(master, 1000):
        out += chunk
except OSError as e:
    print("end", e.errno)
print(out.replace(b"\r", b""), b"got secret" in out, b"is a tty" in out, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
master, slave = pty.openpty()
attributes = termios.tcgetattr(slave)
print(bool(attributes[3] & termios.ICANON), bool(attributes[3] & termios.ECHO), attributes[6][termios.VINTR])
os.write(master, b"ab\x7fc\n")
print(os.read(slave, 100), os.read(master, 100))
tty.setraw(slave)
os.write(master, b"\x03\x04")
print(os.read(slave, 100))
os.write(slave, b"no\nchange")
print(os.read(master, 100))
print(os.isatty(slave), os.ttyname(slave).startswith("/dev/pts/"))
sys.stdout.flush()
print(os.waitstatus_to_exitcode(pty.spawn(["sh", "-c", "echo spawned; exit 3"])))
