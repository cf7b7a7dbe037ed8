# python3: threading, queue, concurrent.futures, multiprocessing with its queues, pools, locks and memory.
import concurrent.futures, multiprocessing as mp, queue, threading, time
from multiprocessing import shared_memory


def square(x):
    return x * x


def add(counter, lock, times):
    for _ in range(times):
        with lock:
            counter.value += 1


def serve(connection):
    while (got := connection.recv()) is not None:
        connection.send(got * 2)


if __name__ == "__main__":
    total, lock, q = 0, threading.Lock(), queue.Queue()

    def work():
        global total
        for _ in range(1000):
            with lock:
                total += 1
        q.put(threading.current_thread().name)

    threads = [threading.Thread(target=work, name=f"t{i}") for i in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    print(total, sorted(q.get() for _ in threads))
    event, barrier = threading.Event(), threading.Barrier(3)
    threading.Timer(0.05, event.set).start()
    print(event.wait(5), event.wait(0))
    waiting = [threading.Thread(target=barrier.wait) for _ in range(2)]
    [t.start() for t in waiting]
    barrier.wait()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print(list(pool.map(square, range(10))))
    for method in ["fork", "spawn", "forkserver"]:
        context = mp.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.map(square, range(8)))
    counter, mlock = mp.Value("i", 0), mp.Lock()
    processes = [mp.Process(target=add, args=(counter, mlock, 200)) for _ in range(4)]
    [p.start() for p in processes]
    [p.join() for p in processes]
    print(counter.value, [p.exitcode for p in processes])
    here, there = mp.Pipe()
    p = mp.Process(target=serve, args=(there,))
    p.start()
    here.send([1, 2])
    print(here.recv())
    here.send(None)
    p.join()
    mq = mp.Queue()
    p = mp.Process(target=mq.put, args=("queued" * 20000,))
    p.start()
    print(len(mq.get()))
    p.join()
    memory = shared_memory.SharedMemory(create=True, size=100)
    memory.buf[:5] = b"shmem"
    again = shared_memory.SharedMemory(memory.name)
    print(bytes(again.buf[:5]))
    again.close()
    memory.close()
    memory.unlink()
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        print(sum(pool.map(square, range(50))))
    with mp.Manager() as manager:
        d = manager.dict()
        d["k"] = 1
        print(dict(d))
    p = mp.Process(target=time.sleep, args=(100,))
    p.start()
    p.terminate()
    p.join()
    print(p.exitcode)
