# python3: subprocess, signal, os.fork and what they leave.
import os, signal, subprocess, sys, time
sys.stdout.reconfigure(line_buffering=True)
print(subprocess.run(["echo", "run"], capture_output=True, text=True).stdout, end="")
print(subprocess.run("exit 3", shell=True).returncode)
p = subprocess.Popen(["sort"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
print(p.communicate("c\na\nb\n")[0].split())
a = subprocess.Popen(["seq", "1000"], stdout=subprocess.PIPE)
b = subprocess.Popen(["tail", "-1"], stdin=a.stdout, stdout=subprocess.PIPE)
a.stdout.close()
print(b.communicate()[0], a.wait())
try:
    subprocess.run(["sleep", "10"], timeout=0.1)
except subprocess.TimeoutExpired as e:
    print("timeout")
p = subprocess.Popen(["sleep", "10"], start_new_session=True)
os.killpg(p.pid, signal.SIGTERM)
print(p.wait())
try:
    subprocess.run(["/no/such/program"])
except FileNotFoundError as e:
    print(e.errno)
try:
    subprocess.run(["/etc/passwd"])
except PermissionError as e:
    print(e.errno)
print(subprocess.run(["sh", "-c", "pwd; echo $X"], cwd="/usr", env={"X": "set"}, capture_output=True).stdout)
r, w = os.pipe()
subprocess.run(["sh", "-c", f"echo passed >&{w}"], pass_fds=[w])
print(os.read(r, 100))
print(len([subprocess.Popen(["true"]) for _ in range(20)]))
got = []
signal.signal(signal.SIGUSR1, lambda s, f: got.append(s))
os.kill(os.getpid(), signal.SIGUSR1)
signal.signal(signal.SIGALRM, lambda s, f: got.append(s))
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(0.2)
print(got == [signal.SIGUSR1, signal.SIGALRM])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.kill(os.getpid(), signal.SIGUSR2)
print(signal.sigpending(), signal.sigwait([signal.SIGUSR2]))
pid = os.fork()
if pid == 0:
    os._exit(5)
print(os.waitpid(pid, 0)[1] >> 8)
pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 6"], os.environ)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
