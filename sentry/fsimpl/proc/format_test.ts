import { assertEquals } from "@std/assert";
import { MAP_PRIVATE, MAP_SHARED } from "../../../platform/abi/mman.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Vma } from "../../mm/vma.ts";
import { newPipeFile, pipeFs } from "../../vfs/anon.ts";
import { type FileDescription, FileDescriptionImpl } from "../../vfs/file.ts";
import { cpuField, cpuinfoText, setHostInfo } from "./host_info.ts";
import { mapLine } from "./task_maps.ts";
import { maskText, rangesText } from "./task_status.ts";

const root = pipeFs.mount.rootPath;

function file(): FileDescription {
  return newPipeFile(
    pipeFs.newInode(0o10600, 0, 0),
    new (class extends FileDescriptionImpl {})(),
    0,
  );
}

Deno.test("a line of maps has Linux's columns", () => {
  const heap = new Vma(0x555555559000, 0x55555557a000, 3, MAP_PRIVATE, null, 0, "[heap]");
  assertEquals(
    mapLine(heap, root),
    "555555559000-55555557a000 rw-p 00000000 00:00 0                          [heap]",
  );
  const anonymous = new Vma(0x10000, 0x11000, 0, MAP_PRIVATE, null, 0x10000, "");
  assertEquals(mapLine(anonymous, root), "00010000-00011000 ---p 00000000 00:00 0 ");
  const mapped = new Vma(0x7f0000000000, 0x7f0000001000, 5, MAP_SHARED, file(), 0x2000, "");
  const ino = mapped.file!.inode.ino;
  const minor = pipeFs.dev.toString(16).padStart(2, "0");
  assertEquals(
    mapLine(mapped, root),
    `7f0000000000-7f0000001000 r-xs 00002000 00:${minor} ${ino} `.padEnd(73) + `pipe:[${ino}]`,
  );
});

Deno.test("CPU masks and lists are Linux's", () => {
  assertEquals(maskText([0, 1], 2), "3");
  assertEquals(maskText([0, 4], 5), "11");
  assertEquals(maskText([0, 33], 64), "00000002,00000001");
  assertEquals(rangesText([0, 1, 2, 3, 8, 10, 11]), "0-3,8,10-11");
  assertEquals(rangesText([]), "");
});

Deno.test("cpuinfo shows as many of the host's processors as the sandbox has", () => {
  const kernel = { cpuCount: 1 } as Kernel;
  const block = (i: number) => `processor\t: ${i}\nphysical id\t: 0\ncore id\t\t: ${i + 4}\n\n`;
  setHostInfo(kernel, { cpuinfo: () => block(0) + block(1) });
  assertEquals(cpuinfoText(kernel), block(0));
  assertEquals(cpuField(kernel, 0, "core id", 0), 4);
  const blind = { cpuCount: 2 } as Kernel;
  assertEquals(cpuinfoText(blind).match(/^processor/gm)?.length, 2);
});
