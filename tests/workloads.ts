// Material that commands work on, made the same way for the tests and for the benchmark.
import { ensureDirSync } from "@std/fs";

/** A PATH without anybody's own additions, so that runs on different machines start the same programs. */
export const PLAIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A C project: `files` sources with a header and a Makefile; `make` builds `app`, which prints a sum. */
export function writeCProject(dir: string, files = 20): void {
  ensureDirSync(dir);
  const numbers = Array.from({ length: files - 1 }, (_, i) => i + 1);
  const part = (i: number) =>
    `#include "parts.h"
#include <stdio.h>
#include <string.h>
static int table${i}[64];
int part${i}(int x) {
  char text[64];
  for (int k = 0; k < 64; k++) table${i}[k] = k * ${i} + x;
  snprintf(text, sizeof text, "%d", table${i}[x & 63]);
  return (int)strlen(text) + table${i}[${i} & 63];
}
`;
  for (const i of numbers) Deno.writeTextFileSync(`${dir}/part${i}.c`, part(i));
  const prototypes = numbers.map((i) => `int part${i}(int x);`).join("\n");
  Deno.writeTextFileSync(`${dir}/parts.h`, `${prototypes}\n`);
  const sum = numbers.map((i) => `part${i}(${i})`).join(" + ");
  Deno.writeTextFileSync(
    `${dir}/main.c`,
    `#include "parts.h"\n#include <stdio.h>\nint main(void) { printf("%d\\n", ${sum}); return 0; }\n`,
  );
  Deno.writeTextFileSync(
    `${dir}/Makefile`,
    "objects := $(patsubst %.c,%.o,$(wildcard *.c))\n" +
      "app: $(objects)\n\tgcc -o $@ $^\n" +
      "%.o: %.c parts.h\n\tgcc -O1 -c -o $@ $<\n" +
      "clean:\n\trm -f app *.o\n",
  );
}

/** `count` files of up to 2 KiB, a hundred to a folder, the same on every machine. */
export function writeSmallFiles(dir: string, count: number): void {
  for (let i = 0; i < count; i++) {
    if (i % 100 === 0) ensureDirSync(`${dir}/d${i / 100}`);
    Deno.writeTextFileSync(
      `${dir}/d${Math.floor(i / 100)}/f${i}.txt`,
      `line of file ${i}\n`.repeat(i % 97 + 1),
    );
  }
}
