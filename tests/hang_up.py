# Starts a command on a terminal, waits for its line "started", closes the terminal, and tells how it ended.
import os, pty, sys

pid, master = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
while b"started" not in seen:
    seen += os.read(master, 1000)
os.write(1, f"started {pid}\n".encode())
sys.stdin.readline()
os.close(master)
os.write(1, b"ended %r\n" % (os.waitpid(pid, 0)[1] != 0))
