/**
 * Patched copies of executable segments. A file's text is mapped from a memfd that holds a copy of it,
 * followed by trampolines; all processes of the sandbox share the pages. A call site is patched where
 * it is first met, once for all of them: the Sentry stores into its own mapping of the memfd. Nothing
 * is copied on write, and the next exec of the same library finds it patched.
 *
 * The trampolines lie at a fixed distance behind the text, where the whole file's mapping ends, so
 * that relative jumps are right in every process. An image is only used together with them.
 */
import {
  F_ADD_SEALS,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
} from "../../platform/abi/fcntl.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import { SYS_fcntl } from "../../platform/abi/amd64/syscalls.ts";
import { patchSite, TRAMPOLINE_SIZE } from "../../platform/arch/amd64/patch.ts";
import { native } from "../../platform/host/ffi.ts";
import { settleFileFd } from "../../platform/host/file_fds.ts";
import {
  closeFd,
  descriptorLimit,
  ftruncate,
  hostSyscall,
  mappingAddr,
  mapShared,
  memfdCreate,
  preadFd,
} from "../../platform/host/host.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { Inode } from "../vfs/inode.ts";

/** Address space kept behind a mapped file for its trampolines. */
export const TRAMPOLINE_SPACE = 0x1_0000;
/** Larger texts are mapped from the file itself, unpatched: copying would cost more than it saves. */
const TEXT_MAX = 16 << 20;
/** All images together; beyond, files are mapped unpatched. */
const CACHE_MAX = 256 << 20;
/** Their number: each is a mapping of the Sentry's own, of which the host lets it have 65,530. */
const IMAGES_MAX = 2048;
/** Each is a descriptor, too: all of them this part of what the Sentry may have. */
const DESCRIPTORS_PART = 4;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;
const COPY_CHUNK = 1 << 20;

export class TextImage {
  #trampolines = 0;
  /** Sites that cannot be patched (any further), by offset. */
  readonly #hopeless = new Set<number>();
  /** Offsets of sites whose return address is gone: where to return to instead. */
  readonly #tails = new Map<number, number>();
  readonly #sites = new Map<number, number>();

  constructor(
    readonly fd: number,
    /** The Sentry's writable mapping: the text, then the trampolines. */
    readonly bytes: Uint8Array,
    readonly addr: number,
    readonly textSize: number,
    /** From the start of the text to the trampolines, in the guest. */
    readonly delta: number,
    readonly checksGs: boolean,
  ) {}

  /** A system call by way of a host signal came from `site` (offset in the text). */
  patch(site: number, number: number): void {
    if (this.#hopeless.has(site) || this.#tails.has(site)) return;
    const index = this.#trampolines;
    if ((index + 1) * TRAMPOLINE_SIZE > TRAMPOLINE_SPACE) return;
    const at = this.delta + index * TRAMPOLINE_SIZE;
    const text = this.bytes.subarray(0, this.textSize);
    const patch = patchSite(text, site, at, number, this.checksGs);
    if (patch === null) {
      this.#hopeless.add(site);
      return;
    }
    // The instruction behind the call goes, too: no thread may just be about to run it.
    if (patch.tail >= 0 && native.dv_nobody_at((site + 2) % PAGE_SIZE) === 0) return;
    this.bytes.set(patch.trampoline, this.textSize + index * TRAMPOLINE_SIZE);
    if (native.dv_patch(this.addr + patch.at, patch.jump as Uint8Array<ArrayBuffer>) < 0) {
      this.#hopeless.add(site);
      return;
    }
    this.#trampolines++;
    if (patch.tail < 0) {
      // A restarted call comes from the `syscall` itself, which stays: its site is not patched again, or
      // those who return behind it from the trampoline would find no instruction there.
      this.#hopeless.add(site);
      return;
    }
    this.#tails.set(site, patch.tail);
    this.#sites.set(patch.tail, site);
  }

  /** The site whose call returns to `tail`, or -1. */
  siteOf(tail: number): number {
    return this.#sites.get(tail) ?? -1;
  }

  /** Where a return to the instruction behind `site` must go, relative to the text; -1: there. */
  tailOf(site: number): number {
    return this.#tails.get(site) ?? -1;
  }
}

/** A part of a file as it was, and its image. */
interface Piece {
  readonly dev: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  /** Not for the file's owner to set, so no other file under its number is taken for it. */
  readonly ctimeSec: number;
  readonly ctimeNsec: number;
  readonly fileSize: number;
  readonly offset: number;
  readonly size: number;
  readonly delta: number;
  readonly image: TextImage;
}

export class ImageCache {
  /** By inode number. */
  readonly #pieces = new Map<number, Piece[]>();
  #bytes = 0;
  #imagesLeft = Math.min(IMAGES_MAX, Math.floor(descriptorLimit() / DESCRIPTORS_PART));

  /** `checksGs`: programs can write the base of GS without a system call. */
  constructor(readonly checksGs: boolean) {}

  /**
   * The image of file bytes [offset, offset + size), with trampolines `delta` bytes behind its start;
   * null when the file is to be mapped as it is.
   */
  get(
    file: FileDescription,
    offset: number,
    size: number,
    hostFd: number,
    hostOffset: number,
    delta: number,
  ): TextImage | null {
    if (size > TEXT_MAX) return null;
    const { inode } = file;
    const pieces = this.#pieces.get(inode.ino) ?? [];
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i];
      if (
        piece.offset === offset && piece.size === size && piece.delta === delta &&
        piece.dev === inode.fs.dev && isUnchanged(piece, inode)
      ) return piece.image;
    }
    if (this.#bytes + size > CACHE_MAX || this.#imagesLeft <= 0) return null;
    const image = this.#make(size, hostFd, hostOffset, delta);
    if (image === null) return null;
    this.#bytes += size;
    this.#imagesLeft--;
    const { mtimeSec, mtimeNsec, ctimeSec, ctimeNsec, size: fileSize, fs: { dev } } = inode;
    const times = { mtimeSec, mtimeNsec, ctimeSec, ctimeNsec };
    pieces.push({ dev, ...times, fileSize, offset, size, delta, image });
    this.#pieces.set(inode.ino, pieces);
    return image;
  }

  #make(size: number, hostFd: number, hostOffset: number, delta: number): TextImage | null {
    let fd = memfdCreate("dvisor-text", MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0) fd = memfdCreate("dvisor-text", MFD_ALLOW_SEALING);
    fd = settleFileFd(fd);
    if (fd < 0) return null;
    const total = size + TRAMPOLINE_SPACE;
    const bytes = ftruncate(fd, total) < 0 ? -1 : mapShared(fd, 0, total);
    if (typeof bytes === "number" || !copyText(bytes, hostFd, hostOffset, size)) {
      closeFd(fd);
      return null;
    }
    const seals = F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
    if (hostSyscall(SYS_fcntl, fd, F_ADD_SEALS, seals) < 0) {
      closeFd(fd);
      return null;
    }
    return new TextImage(fd, bytes, mappingAddr(bytes), size, delta, this.checksGs);
  }
}

function isUnchanged(piece: Piece, inode: Inode): boolean {
  return piece.mtimeNsec === inode.mtimeNsec && piece.mtimeSec === inode.mtimeSec &&
    piece.ctimeNsec === inode.ctimeNsec && piece.ctimeSec === inode.ctimeSec &&
    piece.fileSize === inode.size;
}

function copyText(bytes: Uint8Array, hostFd: number, hostOffset: number, size: number): boolean {
  for (let at = 0; at < size;) {
    const end = Math.min(size, at + COPY_CHUNK);
    const n = preadFd(hostFd, bytes, at, end, hostOffset + at);
    if (n < 0) return false;
    if (n === 0) break; // The last page goes beyond the end of the file.
    at += n;
  }
  return true;
}
