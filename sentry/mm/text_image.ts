/** Placeholder until the patching of call sites lands: no file is mapped from a patched copy yet. */
import type { FileDescription } from "../vfs/file.ts";

export class ImageCache {}

export interface TextImage {
  fd: number;
}

export function textImageFor(
  _cache: ImageCache,
  _file: FileDescription,
  _offset: number,
  _size: number,
  _hostFd: number,
  _hostOffset: number,
): TextImage | null {
  return null;
}
