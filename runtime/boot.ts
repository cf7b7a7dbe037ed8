/**
 * The sandbox process, after exec: it starts the two Workers, the Gofer when it is needed, hands each
 * what it needs, and waits. Guest code, control messages and the end are the Sentry's business.
 */
import type {
  ControlEvent,
  SandboxConfig,
  SentryCode,
  SentryStart,
  WorkerReady,
} from "../sentry/config.ts";
import type { GoferRoot, GoferStart } from "../gofer/protocol.ts";
import { MAX_FDS, spawnLibrary } from "../platform/host/spawn.ts";
import { CONFIG_HEADER_SIZE, CONTROL_FD, SENTRY_BUG_STATUS } from "./control.ts";
import { readEmbedded } from "./embedded.ts";
import { trimLater } from "./memory.ts";

/** Nothing but the library that is already there. */
const PERMISSIONS: Deno.PermissionOptionsObject = {
  read: false,
  write: false,
  net: false,
  env: false,
  run: false,
  sys: false,
  import: false,
  // A list of paths would rule out pointers. dlopen finds nothing but /lib64 and later nothing at all.
  ffi: true,
};

/** Replaced by the build: true in the binary of which the image is taken. */
declare const TRAINING: boolean;

export function boot(): void {
  // A Worker's constructor returns when the Worker runs, which takes as long as a process's start, and
  // on two cores a second one beside it slows it down: the Sentry comes first and has all it needs.
  const sentry = start("sentry", new URL("../sentry/worker.ts", import.meta.url));
  postCode(sentry);
  if (TRAINING) startGofer(); // An image has it ready.
  serve(sentry);
}

/** A process of an image has had others. */
let isFirst = true;

/** One sandbox; in the build one after the other. */
function serve(sentry: Worker): void {
  if (!isFirst) spawnLibrary().dv_trim();
  const config = readConfig();
  if (config === null) Deno.exit(SENTRY_BUG_STATUS); // The command is gone.
  const channel = new MessageChannel();
  const tracer = config.strace === null ? null : readEmbedded("tracer.code");
  const toSentry: SentryStart = { config, tracer, gofer: channel.port1 };
  sentry.postMessage(toSentry, [channel.port1]);

  let hasGofer = false;
  sentry.onmessage = (event: MessageEvent<WorkerReady>) => {
    if (event.data.type === "ready") return send({ type: "ready" });
    if (event.data.type === "over") {
      return void setTimeout(() => serve(sentry), config.rehearsal!.restMs);
    }
    if (hasGofer) return;
    hasGofer = true;
    const toGofer: GoferStart = { port: channel.port2, roots: goferRoots(config) };
    startGofer().postMessage(toGofer, [channel.port2]);
  };
  if (isFirst) trimLater();
  isFirst = false;
}

/** Its source and V8's bytecode of it. */
function postCode(sentry: Worker): void {
  const source = readEmbedded("sentry.code")!;
  const cache = readEmbedded("sentry.cache");
  const code: SentryCode = { source, cache };
  sentry.postMessage(code, cache === null ? [source.buffer] : [source.buffer, cache.buffer]);
}

let gofer: Worker | null = null;

/** It costs as much memory as the Sentry to begin with, and many commands read nothing that has to be waited for. */
function startGofer(): Worker {
  return gofer ??= start("gofer", new URL("../gofer/worker.ts", import.meta.url));
}

function start(name: string, url: URL): Worker {
  const worker = new Worker(url, { type: "module", name, deno: { permissions: PERMISSIONS } });
  worker.onerror = (event) => {
    event.preventDefault();
    send({ type: "panic", report: `${name}: ${event.message}` });
    Deno.exit(SENTRY_BUG_STATUS);
  };
  return worker;
}

function goferRoots(config: SandboxConfig): GoferRoot[] {
  const roots: GoferRoot[] = [{ id: 0, fd: config.rootFd, readonly: true }];
  config.volumes.forEach((v, i) => roots.push({ id: i + 1, fd: v.fd, readonly: !v.rw }));
  return roots;
}

function send(event: ControlEvent): void {
  const line = new TextEncoder().encode(JSON.stringify(event) + "\n");
  spawnLibrary().dv_write(CONTROL_FD, line, 0, line.length);
}

/** Reads the configuration, and no byte more: what follows on the control socket is for the Sentry. */
function readConfig(): SandboxConfig | null {
  const header = new Uint8Array(CONFIG_HEADER_SIZE);
  const fds = new Int32Array(MAX_FDS);
  const library = spawnLibrary();
  if (library.dv_receive_with_fds(CONTROL_FD, header, header.length, fds) < 0) return null;
  const body = readExactly(new DataView(header.buffer).getUint32(0, true));
  if (body === null) return null;
  return withDescriptors(JSON.parse(new TextDecoder().decode(body)), fds);
}

/** The descriptors themselves, where the configuration has their positions in `fds`. */
function withDescriptors(config: SandboxConfig, fds: Int32Array): SandboxConfig {
  const at = (i: number) => i < 0 ? -1 : fds[i];
  return {
    ...config,
    rootFd: at(config.rootFd),
    volumes: config.volumes.map((v) => ({ ...v, fd: at(v.fd) })),
    straceFd: at(config.straceFd),
    debugLogFd: at(config.debugLogFd),
    stdio: [at(config.stdio[0]), at(config.stdio[1]), at(config.stdio[2])],
    cpuinfoFd: at(config.cpuinfoFd),
  };
}

function readExactly(length: number): Uint8Array<ArrayBuffer> | null {
  const library = spawnLibrary();
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const n = library.dv_read_now(CONTROL_FD, bytes.subarray(at), length - at);
    if (n <= 0) return null;
    at += n;
  }
  return bytes;
}
