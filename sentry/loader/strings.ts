/** Arguments and environment of a program: strings one after the other, each with its NUL. */
import { latin1Bytes } from "../../platform/abi/latin1.ts";

export class StringBlock {
  constructor(
    readonly bytes: Uint8Array,
    /** Where in `bytes` each string begins. */
    readonly starts: readonly number[],
  ) {}

  static of(strings: readonly string[]): StringBlock {
    const starts: number[] = [];
    let length = 0;
    for (const s of strings) {
      starts.push(length);
      length += s.length + 1;
    }
    return new StringBlock(latin1Bytes(strings.map((s) => s + "\0").join("")), starts);
  }

  get count(): number {
    return this.starts.length;
  }

  /** Bytes that the strings and the pointers to them will need; for the limit of execve(2). */
  get size(): number {
    return this.bytes.length + 8 * this.starts.length;
  }

  /** `others` in place of the first string. */
  withFirst(others: readonly string[]): StringBlock {
    const before = StringBlock.of(others);
    const cut = this.starts[1] ?? this.bytes.length;
    const bytes = new Uint8Array(before.bytes.length + this.bytes.length - cut);
    bytes.set(before.bytes);
    bytes.set(this.bytes.subarray(cut), before.bytes.length);
    const shift = before.bytes.length - cut;
    const starts = this.starts.slice(1).map((from) => from + shift);
    return new StringBlock(bytes, [...before.starts, ...starts]);
  }
}
