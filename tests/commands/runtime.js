// node: worker_threads, child_process, fs.promises, streams, timers, zlib, crypto, unix sockets, signals.
const { Worker } = require("node:worker_threads");
const { execFileSync, spawn, fork, execSync, spawnSync } = require("node:child_process");
const fs = require("node:fs"),
  net = require("node:net"),
  zlib = require("node:zlib"),
  crypto = require("node:crypto"),
  path = require("node:path");
if (process.argv[2] === "child") {
  process.on("message", (m) => {
    process.send(m * 2);
    process.disconnect();
  });
  return;
}
(async () => {
  const sums = await Promise.all([1, 2, 3].map((n) =>
    new Promise((resolve) =>
      new Worker(
        `const { parentPort, workerData } = require("node:worker_threads"); let s = 0; for (let i = 0; i < 1e6; i++) s += i % workerData; parentPort.postMessage(s);`,
        { eval: true, workerData: n },
      ).on("message", resolve)
    )
  ));
  console.log(sums);
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const w = new Worker(
    `const { workerData } = require("node:worker_threads"); Atomics.store(workerData, 0, 5); Atomics.notify(workerData, 0);`,
    { eval: true, workerData: shared },
  );
  while (Atomics.load(shared, 0) !== 5) await new Promise((r) => setTimeout(r, 1));
  await w.terminate();
  console.log(
    execFileSync("echo", ["child"]).toString(),
    execSync("exit 0 && true").toString(),
    spawnSync("sh", ["-c", "exit 3"]).status,
  );
  const cat = spawn("cat");
  cat.stdin.end("stream");
  let out = "";
  for await (const c of cat.stdout) out += c;
  console.log(out);
  const c = fork(__filename, ["child"]);
  c.send(21);
  console.log(await new Promise((r) => c.once("message", r)));
  const killed = spawn("sleep", ["100"]);
  killed.kill();
  console.log(await new Promise((r) => killed.on("exit", (code, sig) => r([code, sig]))));
  await fs.promises.mkdir("d/e", { recursive: true });
  await Promise.all(
    [...Array(50).keys()].map((i) => fs.promises.writeFile(`d/f${i}`, `x`.repeat(i))),
  );
  console.log((await fs.promises.readdir("d")).length, (await fs.promises.stat("d/f49")).size);
  await fs.promises.copyFile("d/f49", "copy");
  await fs.promises.rename("copy", "moved");
  await fs.promises.symlink("moved", "link");
  console.log(
    await fs.promises.readlink("link"),
    (await fs.promises.readFile("link", "utf8")).length,
  );
  const h = await fs.promises.open("moved", "r+");
  await h.write("HEAD", 0);
  console.log((await h.read(Buffer.alloc(4), 0, 4, 0)).buffer.toString());
  await h.truncate(2);
  await h.close();
  await fs.promises.rm("d", { recursive: true });
  console.log(fs.existsSync("d"));
  await require("node:stream/promises").pipeline(
    fs.createReadStream("/etc/passwd"),
    zlib.createGzip(),
    fs.createWriteStream("p.gz"),
  );
  console.log(zlib.gunzipSync(fs.readFileSync("p.gz")).equals(fs.readFileSync("/etc/passwd")));
  const server = net.createServer((s) => s.end("hello from unix")).listen("sock");
  await new Promise((r) => server.on("listening", r));
  let got = "";
  for await (const chunk of net.connect("sock")) got += chunk;
  server.close();
  console.log(got);
  console.log(
    crypto.createHash("sha256").update("x").digest("hex").slice(0, 8),
    crypto.randomBytes(8).length,
    crypto.pbkdf2Sync("p", "s", 1000, 8, "sha1").toString("hex"),
  );
  await new Promise((r) => {
    process.once("SIGUSR2", r);
    process.kill(process.pid, "SIGUSR2");
  });
  const t = process.hrtime.bigint();
  await new Promise((r) => setTimeout(r, 20));
  console.log(process.hrtime.bigint() - t >= 19000000n);
  console.log(
    path.basename(process.execPath),
    require("node:os").platform(),
    process.memoryUsage().rss > 1e6,
    process.cpuUsage().user > 0,
  );
  process.exitCode = 5;
})();
