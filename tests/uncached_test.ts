/** Files of the host whose pages have to come from the disk: the Gofer reads them. */
import { assertEquals } from "@std/assert";
import { dvisor } from "./sandbox.ts";

const CHUNKS = 64;
const CHUNK_BYTES = 65536;

Deno.test("each part of a file that is not in the page cache is read, one after another", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, new Uint8Array(CHUNKS * CHUNK_BYTES).fill(65));
    const dropped = await new Deno.Command("dd", {
      args: [`of=${path}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"],
      stderr: "null",
    }).output();
    assertEquals(dropped.code, 0);
    const count = `dd if=${path} bs=${CHUNK_BYTES} status=none | tr -d A | wc -c`;
    const { code, stdout } = await dvisor("do", "--", "sh", "-c", `wc -c < ${path}; ${count}`);
    assertEquals([code, stdout], [0, `${CHUNKS * CHUNK_BYTES}\n0\n`]);
  } finally {
    await Deno.remove(path);
  }
});
