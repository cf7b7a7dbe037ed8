# python3: asyncio with child processes, pipes, servers and signals; select, poll, epoll, selectors.
import asyncio, os, select, selectors, signal, socket, sys


async def main():
    p = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    print(await p.communicate(b"through cat"), p.returncode)
    p = await asyncio.create_subprocess_shell("echo out; echo err >&2; exit 4", stdout=-1, stderr=-1)
    print(await p.communicate(), p.returncode)
    many = [asyncio.create_subprocess_exec("sh", "-c", f"exit {n}") for n in range(10)]
    print([await p.wait() for p in await asyncio.gather(*many)])
    p = await asyncio.create_subprocess_exec("sleep", "100")
    p.kill()
    print(await p.wait())

    async def shout(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(shout, "socket")
    reader, writer = await asyncio.open_unix_connection("socket")
    writer.write(b"quiet\n")
    print(await reader.read())
    server.close()
    got = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(got.wait(), 5)
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except asyncio.TimeoutError:
        print("timed out")
    print(await asyncio.get_running_loop().run_in_executor(None, lambda: "from a thread"))


asyncio.run(main())
a, b = socket.socketpair()
e = select.epoll()
e.register(a, select.EPOLLIN | select.EPOLLET)
print(e.poll(0))
b.send(b"x")
print([(fd == a.fileno(), event) for fd, event in e.poll(1)], e.poll(0))
p = select.poll()
p.register(a, select.POLLIN)
print(len(p.poll(0)), a.recv(1), p.poll(10))
print(select.select([a], [b], [], 0) == ([], [b], []))
for kind in [selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector]:
    s = kind()
    s.register(a, selectors.EVENT_READ, "data")
    b.send(b"y")
    print(kind.__name__, [key.data for key, _ in s.select(1)])
    a.recv(1)
r, w = os.pipe()
os.set_blocking(w, False)
n = 0
try:
    while True:
        n += os.write(w, b"z" * 4096)
except BlockingIOError:
    print(n)
sys.stdout.flush()
