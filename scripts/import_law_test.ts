import { assert, assertEquals } from "@std/assert";
import { violations } from "./import_law.ts";

/** The violations in a tree of these files. */
function inTree(files: Record<string, string>): string[] {
  const root = Deno.makeTempDirSync();
  try {
    for (const [path, text] of Object.entries(files)) {
      Deno.mkdirSync(`${root}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      Deno.writeTextFileSync(`${root}/${path}`, text);
    }
    return violations(root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("imports that go downward are allowed", () => {
  const found = inTree({
    "runtime/main.ts": `import { a } from "../sentry/worker.ts";`,
    "sentry/worker.ts":
      `import { a } from "./boot/main.ts";\nimport type { C } from "./config.ts";`,
    "sentry/boot/main.ts": `export { a } from "../syscalls/mod.ts";\nimport "../config.ts";`,
    "sentry/config.ts": "",
    "sentry/strace/tracer.ts": `import type { T } from "../kernel/task.ts";`,
    "sentry/syscalls/mod.ts": `export { a } from "../kernel/task.ts";`,
    "sentry/kernel/task.ts": `import type { B } from "../../platform/abi/b.ts";`,
    "sentry/vfs/x.ts": `import * as p from "../../gofer/protocol.ts";`,
    "gofer/worker.ts":
      `import { lib } from "../platform/host/library.ts";\nimport "./protocol.ts";`,
    "gofer/protocol.ts": `import { EIO } from "../platform/abi/errno.ts";`,
    "platform/host/library.ts": `Deno.dlopen("x", {}); // import { x } from "../../sentry/x.ts";`,
    "platform/native/stub/a.c": "",
  });
  assertEquals(found, []);
});

Deno.test("an upward import, in whatever shape, is one violation", () => {
  for (
    const text of [
      `import { a } from "../kernel/task.ts";`,
      `import {\n  a,\n  b,\n} from "../kernel/task.ts";`,
      `import type { A } from "../kernel/task.ts";`,
      `export * from "../kernel/task.ts";`,
      `const m = await import("../kernel/task.ts");`,
      `import "../kernel/task.ts";`,
    ]
  ) {
    const found = inTree({ "sentry/vfs/file.ts": text });
    assertEquals(found.length, 1, text);
    assert(found[0].startsWith("sentry/vfs/file.ts: may not import sentry/kernel/task.ts"), text);
  }
});

Deno.test("the Gofer may not import the Sentry, nor platform/abi anything", () => {
  const found = inTree({
    "gofer/worker.ts": `import "../sentry/vfs/file.ts";`,
    "platform/abi/errno.ts": `import "../host/ffi.ts";`,
  });
  assertEquals(found.length, 2);
});

Deno.test("folders that import each other are a violation with its proof", () => {
  const found = inTree({
    "platform/systrap/a.ts": `import "../host/b.ts";`,
    "platform/host/b.ts": `import "../systrap/a.ts";`,
  });
  assertEquals(found.length, 1);
  assert(found[0].includes("platform/host/b.ts imports platform/systrap/a.ts"));
});

Deno.test("dlopen, C, npm packages and vague names have their places", () => {
  const found = inTree({
    "sentry/kernel/a.ts": `const lib = Deno.dlopen("libc.so.6", {});`,
    "sentry/kernel/a.c": "",
    "sentry/kernel/b.ts": `import tar from "npm:tar-stream";`,
    "sentry/kernel/utils.ts": "",
  });
  assertEquals(found.length, 4);
});
