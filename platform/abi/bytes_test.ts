import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { getI64, getU64, setI64, setU64, zero } from "./bytes.ts";
import { direntReclen, putDirent64 } from "./dirent.ts";
import { EINTR, ERESTARTSYS, errnoName } from "./errno.ts";
import { RLIM_INFINITY } from "./resource.ts";
import { signalName } from "./signal.ts";
import { major, makedev, minor } from "./sysmacros.ts";

const v = new DataView(new ArrayBuffer(64));

Deno.test("64-bit fields read back what was written, as BigInt sees it", () => {
  const cases = [0, 1, 0xffffffff, 2 ** 32, 0x7fff_ffff_f000, 2 ** 53 - 1];
  for (const n of [...cases, ...cases.map((c) => -c)]) {
    setI64(v, 3, n);
    strictEqual(v.getBigInt64(3, true), BigInt(n));
    strictEqual(getI64(v, 3), n + 0);
    setU64(v, 3, n);
    strictEqual(v.getBigUint64(3, true), BigInt.asUintN(64, BigInt(n)));
    if (n >= 0) strictEqual(getU64(v, 3), n + 0);
  }
});

Deno.test("RLIM_INFINITY is all ones both ways", () => {
  setU64(v, 0, RLIM_INFINITY);
  strictEqual(v.getBigUint64(0, true), 0xffff_ffff_ffff_ffffn);
  strictEqual(getU64(v, 0), RLIM_INFINITY);
});

Deno.test("zero clears exactly its range", () => {
  for (let i = 0; i < 16; i++) v.setUint8(i, 0xff);
  zero(v, 1, 7);
  deepStrictEqual([0, 1, 7, 8].map((i) => v.getUint8(i)), [0xff, 0, 0, 0xff]);
});

Deno.test("device numbers keep 12 bits of major and 20 of minor", () => {
  for (const [ma, mi] of [[0, 0], [1, 3], [8, 17], [136, 255], [0xfff, 0xfffff], [259, 0x12345]]) {
    deepStrictEqual([major(makedev(ma, mi)), minor(makedev(ma, mi))], [ma, mi]);
  }
  strictEqual(makedev(136, 0x100), 0x108800);
});

Deno.test("a directory record is padded to 8 bytes with zeroes", () => {
  for (let i = 0; i < 64; i++) v.setUint8(i, 0xff);
  const name = new TextEncoder().encode("abcd");
  strictEqual(putDirent64(v, 0, 7, 9, 4, name), 24);
  deepStrictEqual([19, 22, 23, 24].map((i) => v.getUint8(i)), [0x61, 0x64, 0, 0xff]);
  strictEqual(putDirent64(v, 0, 7, 9, 4, name.subarray(0, 1)), 24);
  strictEqual(v.getUint8(20), 0);
  strictEqual(direntReclen(4), 24);
  strictEqual(direntReclen(5), 32);
});

Deno.test("names of errors and signals", () => {
  deepStrictEqual([-EINTR, ERESTARTSYS, 41].map(errnoName), ["EINTR", "ERESTARTSYS", "E41"]);
  deepStrictEqual([2, 32, 64, 0, 65].map(signalName), ["SIGINT", "SIGRT_0", "SIGRT_32", "0", "65"]);
});
