# An interactive bash on a terminal: a line typed, job control by keys, the window's size.
import fcntl, os, pty, select, struct, sys, termios, time

pid, master = pty.fork()
if pid == 0:
    os.environ.update(PS1="@@ ", TERM="dumb")
    os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
seen = b""


def until(text):
    global seen
    deadline = time.time() + 20
    while text not in seen:
        if not select.select([master], [], [], max(0, deadline - time.time()))[0]:
            sys.exit(f"no {text!r}, but {seen!r}")
        seen += os.read(master, 4096)
    before, _, seen = seen.partition(text)
    return before


def typed(line, answer=b"@@ "):
    os.write(master, line)
    return until(answer).decode().replace("\r\n", "\n")


until(b"@@ ")
print(typed(b"echo $((6*7)); stty size\n"))
print(typed(b"tty | cut -c1-9\n"))
typed(b"cat\n", b"cat\r\n")
typed(b"line\n", b"line\r\nline\r\n")
print(typed(b"\x04"))
typed(b"sh -c 'echo u''p; exec sleep 100'\n", b"\nup\r\n")
print(typed(b"\x1a"))  # Ctrl-Z
print(typed(b"jobs\n"))
typed(b"fg\n", b"sleep 100'\r\n")
time.sleep(0.2)  # bash says the command's name before it gives the terminal away.
print(typed(b"\x03"))  # Ctrl-C
print(typed(b"echo $?\n"))
print(typed(b"sleep 100 | cat &\n").split()[-1].isdigit())
print(typed(b"kill %1; wait; echo gone\n").count("gone"))
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 50, 0, 0))
print(typed(b"stty size\n"))
typed(b"trap 'echo int' INT; echo u''p; read x\n", b"\nup\r\n")
while open(f"/proc/{pid}/stat").read().split(") ")[1][0] != "S":
    time.sleep(0.01)
print(typed(b"\x03", b"int"))
typed(b"\n")
os.write(master, b"exit 9\n")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
