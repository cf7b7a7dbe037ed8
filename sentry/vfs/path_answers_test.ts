import { assertEquals } from "@std/assert";
import { ENOENT } from "../../platform/abi/errno.ts";
import { STAT_SIZE } from "../../platform/abi/stat.ts";
import type { PathAnswers } from "../../platform/platform.ts";
import { ROOT, Tree } from "./fixture_test.ts";
import { startPathAnswers, stopPathAnswers } from "./path_answers.ts";

const PLACES = 256;

/** Keeps what it is told, by path. */
class Notes implements PathAnswers {
  readonly words = new Int32Array(PLACES * STAT_SIZE / 4);
  readonly #paths: string[] = [];
  readonly #serials: number[] = [];
  #serial = 0;

  begin(path: string): number {
    return this.#paths.push(path) - 1;
  }
  statAt(number: number): number {
    return number * STAT_SIZE / 4;
  }
  publish(number: number): void {
    this.#serials[number] = ++this.#serial;
  }
  serialOf(number: number): number {
    return this.#serials[number];
  }
  drop(number: number): void {
    this.#serials[number] = 0;
  }
  dropAll(): void {
    this.#serials.fill(0);
  }

  knows(path: string): boolean {
    return this.#paths.some((p, i) => p === path && this.#serials[i] !== 0);
  }
}

function watched(tree: Tree, check: (notes: Notes) => void): void {
  const notes = new Notes();
  startPathAnswers(notes, tree.root, ROOT);
  try {
    check(notes);
  } finally {
    stopPathAnswers();
  }
}

Deno.test("what lies in a directory that is known to be missing is told", () => {
  const tree = new Tree();
  tree.mkdir("/include");
  watched(tree, (notes) => {
    assertEquals(tree.walk("/include/bits"), -ENOENT);
    assertEquals(tree.walk("/include/bits/types.h"), -ENOENT);
    assertEquals(notes.knows("/include/bits/types.h"), true);
    tree.mkdir("/include/bits");
    assertEquals(notes.knows("/include/bits/types.h"), false);
  });
});

Deno.test("who asks for a path whose answer was dropped has it told again", () => {
  const tree = new Tree();
  watched(tree, (notes) => {
    const paths = ["/no/a", "/no/b", "/no/c"];
    for (const path of paths) assertEquals(tree.walk(path), -ENOENT);
    assertEquals(paths.map((path) => notes.knows(path)), [true, true, true]);
    notes.dropAll();
    assertEquals(paths.map((path) => notes.knows(path)), [false, false, false]);
    for (const path of paths) assertEquals(tree.walk(path), -ENOENT);
    assertEquals(paths.map((path) => notes.knows(path)), [true, true, true]);
  });
});
