// The C programs of tests/programs that are made of behaviours (check.h), natively and on each platform.
// Natively every behaviour must hold, or be skipped; in dvisor every one that natively holds.
// $DVISOR_PLATFORMS names the platforms, "systrap,ptrace" if it is not set.
import { assertEquals } from "@std/assert";
import { walkSync } from "@std/fs";
import { type Result, run, sandboxed } from "./runs.ts";
import { programPath } from "./sandbox.ts";

const SOURCES = new URL("programs", import.meta.url).pathname;

/** These once more on a single processor, where nobody can spin for an answer. */
const ON_ONE_PROCESSOR = ["threads", "signals", "processes"];
const ONE_PROCESSOR = ["taskset", "-c", "0"];

const programs = Array.from(walkSync(SOURCES), ({ path, name }) => ({ path, name }))
  .filter(({ path }) => path.endsWith(".c"))
  .filter(({ path }) => Deno.readTextFileSync(path).includes('#include "check.h"'))
  .map(({ name }) => name.slice(0, -2));

for (const program of programs) {
  const path = programPath(program);
  const list = new Deno.Command(path, { args: ["--list"] }).outputSync();
  const names = new TextDecoder().decode(list.stdout).trim().split("\n");
  const native = runOnce(() => run([path]));
  const platforms = sandboxed().map(({ platform, command }) => ({
    platform,
    result: runOnce(() => run([...command, path])),
  }));
  if (ON_ONE_PROCESSOR.includes(program)) {
    platforms.push(
      ...sandboxed().map(({ platform, command }) => ({
        platform: `${platform} on one processor`,
        result: runOnce(() => run([...ONE_PROCESSOR, ...command, path])),
      })),
    );
  }
  for (const name of names) {
    Deno.test({
      name: `${program}, natively: ${name}`,
      async fn() {
        const verdict = verdictOn(name, await native());
        if (!verdict.startsWith("skip ")) assertEquals(verdict, `ok ${name}`);
      },
    });
    for (const { platform, result } of platforms) {
      Deno.test({
        name: `${program}, ${platform}: ${name}`,
        async fn() {
          if (verdictOn(name, await native()).startsWith("skip ")) return;
          assertEquals(verdictOn(name, await result()), `ok ${name}`);
        },
      });
    }
  }
}

/** The program's line about a behaviour; of a program that did not come that far, why. */
function verdictOn(name: string, { stdout, stderr, code }: Result): string {
  const line = stdout.split("\n").find((each) =>
    each === `ok ${name}` || each.startsWith(`not ok ${name}: `) ||
    each.startsWith(`skip ${name}: `)
  );
  return line ??
    `nothing about it; exit status ${code}\n${stdout.slice(-500)}\n${stderr.slice(-2000)}`;
}

function runOnce(start: () => Promise<Result>): () => Promise<Result> {
  let result: Promise<Result> | undefined;
  return () => result ??= start();
}
