/** The control socket's two ends, and the numbers that both the command and the boot role know. */
import type { ControlEvent, ControlRequest, SandboxConfig } from "../sentry/config.ts";
import { spawnLibrary } from "../platform/host/spawn.ts";

/** Descriptors of the sandbox process, see platform/native/sandbox/start.h. */
export const CONTROL_FD = 3;
export const EMPTY_ROOT_FD = 4;
export const MEMORY_FILES_FD = 5;

/**
 * The configuration comes first: its length as u32, with all descriptors that it speaks of, then JSON,
 * where a descriptor is its position among them. Lines of JSON follow.
 */
export const CONFIG_HEADER_SIZE = 4;

/** Exit status when a bug of ours ended the sandbox. */
export const SENTRY_BUG_STATUS = 128;

const READ_SIZE = 16384;
/** A sandbox that sends a longer line is not ours any more. */
const MAX_LINE = 1 << 20;

/** The command's end. */
export class ControlConnection {
  constructor(readonly fd: number) {}

  /** `fds` are the caller's to close. */
  sendConfig(config: SandboxConfig, fds: Int32Array<ArrayBuffer>): boolean {
    const body = new TextEncoder().encode(JSON.stringify(config));
    const header = new Uint8Array(CONFIG_HEADER_SIZE);
    new DataView(header.buffer).setUint32(0, body.length, true);
    const library = spawnLibrary();
    if (library.dv_send_with_fds(this.fd, header, header.length, fds, fds.length) < 0) return false;
    return this.#write(body);
  }

  /** False when the sandbox is gone. */
  send(request: ControlRequest): boolean {
    return this.#write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
  }

  #write(bytes: Uint8Array<ArrayBuffer>): boolean {
    for (let at = 0; at < bytes.length;) {
      const n = spawnLibrary().dv_write(this.fd, bytes, at, bytes.length - at);
      if (n < 0) return false;
      at += n;
    }
    return true;
  }

  /** Events until the sandbox process is gone, or says what no sandbox of ours would say. */
  async *events(): AsyncGenerator<ControlEvent> {
    const chunk = new Uint8Array(READ_SIZE);
    const decoder = new TextDecoder();
    let pending = "";
    for (;;) {
      const n = await spawnLibrary().dv_read(this.fd, chunk, chunk.length);
      if (n <= 0) return;
      pending += decoder.decode(chunk.subarray(0, n), { stream: true });
      const lines = pending.split("\n");
      pending = lines.pop()!;
      if (pending.length > MAX_LINE) return;
      for (const line of lines) yield JSON.parse(line) as ControlEvent;
    }
  }
}
