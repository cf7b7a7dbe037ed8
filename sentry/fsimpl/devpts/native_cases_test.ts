/**
 * What a pty of Linux 6.18 does, recorded: random attributes, then bytes written to the master ("in"),
 * written to the slave ("out") and read from the slave. After each step "shown" is what the master
 * could read and "fionread" what the slave told; "reads" are the reads of 64 bytes at the end.
 */
import { assertEquals } from "@std/assert";
import { EAGAIN } from "../../../platform/abi/errno.ts";
import { KernelDst } from "../../vfs/kernel_io.ts";
import { type LineDevice, LineDiscipline } from "./line_discipline.ts";
import { readLine, readRaw } from "./reader.ts";
import recorded from "./native_cases.json" with { type: "json" };

interface Step {
  type: string;
  data?: string;
  size?: number;
  /** What write(2) and read(2) of the slave returned; the error negative. */
  n?: number;
  r?: string | number;
  shown: string;
  fionread: number;
}
interface Case {
  i: number;
  o: number;
  l: number;
  cc: number[];
  steps: Step[];
  reads: string[];
}
const cases: Case[] = recorded;

class Terminal implements LineDevice {
  shown = "";
  readonly discipline = new LineDiscipline(this);

  outputRoom(): number {
    return this.discipline.stopped ? 0 : 8192;
  }
  emit(byte: number): void {
    this.shown += String.fromCharCode(byte);
  }
  flushOutput(): void {
    this.shown = "";
  }
  setStopped(): void {}
  signal(): void {}
  wakeReaders(): void {}

  read(size: number): string | number {
    const { discipline } = this;
    const dst = new KernelDst(new Uint8Array(size));
    if (!discipline.isCanonical && discipline.buffered === 0) return -EAGAIN;
    const n = discipline.isCanonical ? readLine(discipline, dst) : readRaw(discipline, dst);
    return n < 0 ? n : String.fromCharCode(...dst.buf.subarray(0, n));
  }
}

function encode(s: string): Uint8Array {
  return Uint8Array.from(s, (c) => c.charCodeAt(0));
}

Deno.test("200 recorded sequences show and read as on Linux", () => {
  for (const [i, c] of cases.entries()) {
    const t = new Terminal();
    t.discipline.changeTermios((s) => {
      s.iflag = c.i;
      s.oflag = c.o;
      s.lflag = c.l;
      s.cc.set(c.cc);
    });
    for (const step of c.steps) {
      t.shown = "";
      const bytes = encode(step.data ?? "");
      const where = `case ${i}, ${step.type} ${JSON.stringify(step.data ?? step.size)}`;
      if (step.type === "in") t.discipline.receive(bytes, 0, bytes.length);
      else if (step.type === "out") {
        t.discipline.echo.flush();
        const n = t.discipline.output.write(bytes, 0, bytes.length);
        assertEquals(n === 0 ? -EAGAIN : n, step.n, where);
      } else assertEquals(t.read(step.size!), step.r, where);
      assertEquals(t.shown, step.shown, where);
      assertEquals(t.discipline.inputQueued(), step.fionread, where);
    }
    const reads: string[] = [];
    for (let r = t.read(64); typeof r === "string"; r = t.read(64)) reads.push(r);
    assertEquals(reads, c.reads, `case ${i}, reads at the end`);
  }
});
