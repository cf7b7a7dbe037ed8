import { assert, assertEquals } from "@std/assert";
import { closeFd, descriptorLimit, ftruncate, memfdCreate } from "../../platform/host/host.ts";
import type { FileDescription } from "../vfs/file.ts";
import { ImageCache, type TextImage } from "./text_image.ts";

const PAGE = 4096;
const inode = {
  ino: 1,
  size: PAGE,
  fs: { dev: 1 },
  mtimeSec: 1,
  mtimeNsec: 2,
  ctimeSec: 3,
  ctimeNsec: 4,
};
const file = { inode } as unknown as FileDescription;

function withHostFile(f: (fd: number) => void): void {
  const fd = memfdCreate("text");
  ftruncate(fd, PAGE);
  try {
    f(fd);
  } finally {
    closeFd(fd);
  }
}

Deno.test("a guest that maps parts of a file without end leaves descriptors to others", () => {
  withHostFile((fd) => {
    const cache = new ImageCache(false);
    const images: TextImage[] = [];
    for (let i = 0; i < 5000; i++) {
      const image = cache.get(file, 0, PAGE, fd, 0, 2 * PAGE + i * PAGE);
      if (image !== null) images.push(image);
    }
    for (const image of images) closeFd(image.fd);
    assert(images.length > 10 && images.length <= descriptorLimit() / 4, `${images.length} images`);
  });
});

Deno.test("another file under the number of one that is gone is not taken for it", () => {
  withHostFile((fd) => {
    const cache = new ImageCache(false);
    const first = cache.get(file, 0, PAGE, fd, 0, 2 * PAGE);
    assertEquals(cache.get(file, 0, PAGE, fd, 0, 2 * PAGE), first);
    const other = { inode: { ...inode, ctimeSec: 5 } } as unknown as FileDescription;
    const second = cache.get(other, 0, PAGE, fd, 0, 2 * PAGE);
    assert(first !== null && second !== null && first !== second);
    for (const image of [first, second]) closeFd(image.fd);
  });
});
