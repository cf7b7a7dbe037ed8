/**
 * The sandbox process, after exec: it starts the two Workers, hands each what it needs, and then only
 * waits. Guest code, control messages and the end are the Sentry's business from there on.
 */
import type { ControlEvent, SandboxConfig, SentryStart } from "../sentry/config.ts";
import type { GoferRoot, GoferStart } from "../gofer/protocol.ts";
import { spawnLibrary } from "../platform/host/spawn.ts";
import { CONFIG_HEADER_SIZE, CONTROL_FD, SENTRY_BUG_STATUS } from "./control.ts";

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

export function boot(): void {
  // A Worker's constructor returns when the Worker runs, which takes as long as a process's start. So
  // the Sentry is first and gets all it needs: it starts the guest while the Gofer is being made.
  const sentry = new Worker(
    new URL("../sentry/worker.ts", import.meta.url),
    { type: "module", name: "sentry", deno: { permissions: PERMISSIONS } },
  );
  watch("sentry", sentry);
  const config = readConfig();
  if (config === null) Deno.exit(SENTRY_BUG_STATUS); // The command is gone.
  const channel = new MessageChannel();
  const toSentry: SentryStart = { config, gofer: channel.port1 };
  sentry.postMessage(toSentry, [channel.port1]);
  const gofer = new Worker(
    new URL("../gofer/worker.ts", import.meta.url),
    { type: "module", name: "gofer", deno: { permissions: PERMISSIONS } },
  );
  watch("gofer", gofer);
  const toGofer: GoferStart = { port: channel.port2, roots: goferRoots(config) };
  gofer.postMessage(toGofer, [channel.port2]);
}

let loading = 2;

function watch(role: string, worker: Worker): void {
  worker.onmessage = (event) => {
    if (event.data?.type === "ready" && --loading === 0) send({ type: "ready" });
  };
  worker.onerror = (event) => {
    event.preventDefault();
    send({ type: "panic", report: `${role}: ${event.message}` });
    Deno.exit(SENTRY_BUG_STATUS);
  };
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
  const header = readExactly(CONFIG_HEADER_SIZE);
  if (header === null) return null;
  const body = readExactly(new DataView(header.buffer).getUint32(0, true));
  return body === null ? null : JSON.parse(new TextDecoder().decode(body));
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
