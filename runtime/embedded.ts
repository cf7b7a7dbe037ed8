/**
 * Files that the build puts between the base binary and what `deno compile` appends, which Deno reads into the
 * memory of every process: here only who needs one reads it.
 */

/** Replaced by the build: where in the binary each file lies, [offset, size] in bytes. */
declare const EMBEDDED: Record<string, readonly [number, number]>;

/** The whole file; null when the build had none. */
export function readEmbedded(name: string): Uint8Array<ArrayBuffer> | null {
  const place = EMBEDDED[name];
  if (place === undefined) return null;
  const [offset, size] = place;
  const bytes = new Uint8Array(size);
  using binary = Deno.openSync("/proc/self/exe");
  binary.seekSync(offset, Deno.SeekMode.Start);
  for (let at = 0; at < size;) {
    const n = binary.readSync(bytes.subarray(at));
    if (n === null) throw new Error(`the binary ends within ${name}`);
    at += n;
  }
  return bytes;
}
