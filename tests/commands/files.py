# python3: mmap, sqlite3 with WAL and two writers, tempfile, shutil, os calls, fcntl locks, json, zip, hash, venv.
import fcntl, glob, hashlib, mmap, os, shutil, sqlite3, stat, subprocess, sys, tempfile, zipfile
from multiprocessing import Process

with open("m", "w+b") as f:
    f.truncate(10000)
    with mmap.mmap(f.fileno(), 0) as m:
        m[5000:5005] = b"hello"
        print(m.find(b"hello"), m.size())
        m.flush()
        m.resize(20000)
    f.seek(5000)
    print(f.read(5), os.fstat(f.fileno()).st_size)
shared = mmap.mmap(-1, 100)
if os.fork() == 0:
    shared[:5] = b"child"
    os._exit(0)
os.wait()
print(shared[:5])


def write(n):
    db = sqlite3.connect("db", timeout=30)
    for i in range(50):
        with db:
            db.execute("insert into t values (?, ?)", (n, i))
    db.close()


db = sqlite3.connect("db")
print(db.execute("pragma journal_mode=wal").fetchone())
db.execute("create table t (a, b)")
db.commit()
writers = [Process(target=write, args=(n,)) for n in range(3)]
[w.start() for w in writers]
[w.join() for w in writers]
print(db.execute("select count(*), sum(b) from t").fetchone(), os.path.exists("db-wal"))
print(db.execute("pragma integrity_check").fetchone(), db.execute("pragma wal_checkpoint(truncate)").fetchone())
db.execute("vacuum")
db.close()
with tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile() as t, tempfile.TemporaryFile() as u:
    t.write(b"x")
    u.write(b"y")
    print(os.path.isdir(d), stat.filemode(os.stat(d).st_mode), os.path.exists(t.name))
os.makedirs("a/b/c")
shutil.copytree("a", "copy")
shutil.copy("m", "a/m")
os.symlink("m", "a/link")
os.link("a/m", "a/hard")
print(sorted(glob.glob("a/**", recursive=True)), os.stat("a/m").st_nlink, os.readlink("a/link"))
shutil.move("a", "moved")
shutil.rmtree("copy")
print(sorted(e.name for e in os.scandir("moved") if e.is_file()))
fd = os.open("lock", os.O_RDWR | os.O_CREAT)
fcntl.lockf(fd, fcntl.LOCK_EX)
if os.fork() == 0:
    try:
        fcntl.lockf(os.open("lock", os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
        os._exit(1)
    except BlockingIOError:
        os._exit(0)
print(os.wait()[1])
os.setxattr("m", "user.k", b"v")
print(os.listxattr("m"), os.getxattr("m", "user.k"), os.pread(fd, 10, 0), os.sendfile(fd, os.open("m", os.O_RDONLY), 0, 100))
os.copy_file_range(os.open("m", os.O_RDONLY), fd, 50)
print(os.get_terminal_size.__name__, os.cpu_count() == len(os.sched_getaffinity(0)) or True, os.memfd_create("x") > 2)
with zipfile.ZipFile("z.zip", "w", zipfile.ZIP_DEFLATED) as z:
    z.write("m")
print(zipfile.ZipFile("z.zip").testzip(), hashlib.sha256(open("m", "rb").read()).hexdigest()[:16])
subprocess.run([sys.executable, "-m", "venv", "--without-pip", "env"], check=True)
print(subprocess.run(["env/bin/python", "-c", "import sys; print(sys.prefix != sys.base_prefix)"], capture_output=True, text=True).stdout)
