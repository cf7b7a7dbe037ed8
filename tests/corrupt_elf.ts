// Broken copies of an executable, each made by one change.

/** A broken file by name. `whole` is a dynamic 64-bit ELF file. */
export function corruptions(whole: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const change = (name: string, edit: (view: DataView, bytes: Uint8Array) => void) => {
    const bytes = whole.slice();
    edit(new DataView(bytes.buffer), bytes);
    files.set(name, bytes);
  };
  for (const size of [0, 1, 4, 16, 40, 63, 64, 100, 300, 900, 4096, 5000]) {
    files.set(`cut at ${size}`, whole.slice(0, size));
  }
  change("object file", (view) => view.setUint16(16, 1, true));
  change("another machine", (view) => view.setUint16(18, 183, true));
  change("entry at 0", (view) => view.setBigUint64(24, 0n, true));
  change("entry not canonical", (view) => view.setBigUint64(24, 1n << 63n, true));
  change("headers past the end", (view) => view.setBigUint64(32, 1n << 40n, true));
  change("headers at -1", (view) => view.setBigUint64(32, ~0n, true));
  change("small headers", (view) => view.setUint16(54, 8, true));
  change("no headers", (view) => view.setUint16(56, 0, true));
  change("65535 headers", (view) => view.setUint16(56, 65535, true));
  const segments = segmentsOf(whole);
  const first = (type: number) => segments.find((each) => each.type === type)!.at;
  const [load, interp] = [first(1), first(3)];
  change("segment of 2^62 bytes in the file", (v) => v.setBigUint64(load + 32, 1n << 62n, true));
  change("segment of 2^62 bytes in memory", (v) => v.setBigUint64(load + 40, 1n << 62n, true));
  change("2^44 bytes of memory", (v) => v.setBigUint64(load + 40, 1n << 44n, true));
  change("less memory than file", (v) => v.setBigUint64(load + 40, 1n, true));
  change(
    "segment in the kernel's half",
    (v) => v.setBigUint64(load + 16, 0xffff800000000000n, true),
  );
  change("segment not aligned with its offset", (v) => v.setBigUint64(load + 16, 0x123n, true));
  change("alignment of 3", (v) => v.setBigUint64(load + 48, 3n, true));
  change("alignment of 2^60", (v) => v.setBigUint64(load + 48, 1n << 60n, true));
  change("first segment forbidden", (v) => v.setUint32(load + 4, 0, true));
  change("interpreter's name of 2^40 bytes", (v) => v.setBigUint64(interp + 32, 1n << 40n, true));
  change("interpreter's name empty", (v) => v.setBigUint64(interp + 32, 0n, true));
  change("interpreter's name past the end", (v) => v.setBigUint64(interp + 8, 1n << 40n, true));
  change("interpreter's name without end", (v) => v.setBigUint64(interp + 32, 10n, true));
  const name = Number(new DataView(whole.buffer).getBigUint64(interp + 8, true));
  const rename = (text: string) => (_: DataView, bytes: Uint8Array) =>
    bytes.set(new TextEncoder().encode(`${text}\0`), name);
  change("interpreter missing", rename("/no/such/loader"));
  change("interpreter is a folder", rename("/etc"));
  change("interpreter is no program", rename("/etc/passwd"));
  return files;
}

/** Copies with a few random bytes changed in the headers, the same for the same seed. */
export function noise(whole: Uint8Array, count: number, seed: number): Map<string, Uint8Array> {
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  const files = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) {
    const bytes = whole.slice();
    for (let changes = random(4) + 1; changes > 0; changes--) bytes[5 + random(800)] = random(256);
    files.set(`noise ${i}`, bytes);
  }
  return files;
}

function segmentsOf(whole: Uint8Array): { at: number; type: number }[] {
  const view = new DataView(whole.buffer);
  const start = Number(view.getBigUint64(32, true));
  return Array.from({ length: view.getUint16(56, true) }, (_, i) => {
    const at = start + 56 * i;
    return { at, type: view.getUint32(at, true) };
  });
}
