// What the commands of list.ts work on, made once, natively.
import { ensureDirSync, existsSync } from "@std/fs";
import { writeCProject } from "../workloads.ts";

/** An executable whose data is 50 MB: each page of it is read. */
const HUGE = `#include <stdio.h>
extern const char blob[], blob_end[];
__asm__(".data\\nblob: .fill 52428800, 1, 7\\nblob_end: .byte 0\\n");
int main(int argc, char **argv) {
  long sum = 0;
  for (const char *p = blob; p < blob_end; p += 4096) sum += *p;
  printf("%ld %s\\n", sum, argv[argc - 1]);
  return 0;
}
`;

export function makeFixtures(folder: string): void {
  ensureDirSync(folder);
  if (!existsSync(`${folder}/project`)) writeCProject(`${folder}/project`);
  if (!existsSync(`${folder}/huge`)) {
    Deno.writeTextFileSync(`${folder}/huge.c`, HUGE);
    const args = ["-o", `${folder}/huge`, `${folder}/huge.c`];
    new Deno.Command("gcc", { args, stderr: "null" }).outputSync(); // Without gcc its rows are skipped.
  }
}
