/** The mount tree a sandbox starts with. */
import { EEXIST, EINVAL, ENOENT, ENOTDIR, errnoName } from "../../platform/abi/errno.ts";
import { S_IFDIR, S_IFMT } from "../../platform/abi/stat.ts";
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from "../../platform/abi/mount.ts";
import { initialCredentials } from "../auth/credentials.ts";
import type { SandboxConfig } from "../config.ts";
import { DevtmpfsType } from "../fsimpl/dev/filesystem.ts";
import { registerMemoryDevices } from "../fsimpl/dev/memory.ts";
import { registerTerminals, terminalsOf } from "../fsimpl/dev/terminals.ts";
import { DevptsType } from "../fsimpl/devpts/filesystem.ts";
import type { GoferClient } from "../fsimpl/gofer/client.ts";
import { GoferFs } from "../fsimpl/gofer/goferfs.ts";
import { newOverlay } from "../fsimpl/overlay/overlayfs.ts";
import { ramfsType, Tmpfs, tmpfsType } from "../fsimpl/tmpfs/mod.ts";
import { defaultTmpfsOptions } from "../fsimpl/tmpfs/mod.ts";
import { procType } from "../fsimpl/proc/mod.ts";
import { cgroupType, sysType } from "../fsimpl/sys/mod.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { allocateAnonymousDev } from "../vfs/anon.ts";
import type { Filesystem } from "../vfs/inode.ts";
import { MountNamespace, newMount, type PathRef } from "../vfs/mount.ts";
import { mkdirAt, mknodAt, walk, type WalkContext } from "../vfs/namei.ts";
import { BootError } from "./error.ts";

const SECURE = MS_NOSUID | MS_NODEV | MS_NOEXEC;
/** Exit status for a flag (--volume) that cannot be. */
const BAD_USE = 2;
const root = initialCredentials(0, 0, []);

/** [type, mount point, flags, options] */
const MOUNTS: readonly (readonly [string, string, number, string])[] = [
  ["proc", "/proc", SECURE, ""],
  ["sysfs", "/sys", SECURE | MS_RDONLY, ""],
  ["cgroup2", "/sys/fs/cgroup", SECURE | MS_RDONLY, ""],
  ["devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=755"],
  ["tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777"],
];

export function registerFilesystems(kernel: Kernel): void {
  const types = [
    tmpfsType(kernel.memoryBytes),
    ramfsType,
    new DevtmpfsType(kernel),
    new DevptsType(kernel),
    procType(kernel),
    sysType(kernel),
    cgroupType(kernel),
  ];
  for (const type of types) kernel.fsTypes.set(type.name, type);
  registerMemoryDevices();
  registerTerminals(kernel);
}

/**
 * Mounts everything. The Sentry opens below the donated roots itself (directfs), and does not wait for
 * the Gofer, which may still be starting. Throws BootError.
 */
export function buildMounts(
  kernel: Kernel,
  config: SandboxConfig,
  gofer: GoferClient,
): MountNamespace {
  const unmappedGroup = config.groups.find((group) => group !== config.gid) ?? -1;
  const lower = new GoferFs({
    rootFd: config.rootFd,
    dev: allocateAnonymousDev(),
    exclusive: true,
    readonly: true,
    unmappedId: config.unmappedId,
    unmappedGroup,
    client: gofer,
  });
  const upper = new Tmpfs({ ...defaultTmpfsOptions(kernel.memoryBytes), mode: 0o755 });
  const overlay: Filesystem | number = newOverlay(allocateAnonymousDev(), upper, [lower]);
  if (typeof overlay === "number") throw new BootError(`cannot make the root (errno ${-overlay})`);
  overlay.readOnly = false;
  const ns = new MountNamespace(newMount(overlay, "none", 0));
  kernel.rootMountNs = ns;
  const { rootPath } = ns;
  const ctx: WalkContext = { root: rootPath, cwd: rootPath, creds: root, mountNs: ns, umask: 0 };
  for (const [type, at, flags, options] of MOUNTS) {
    const fs = kernel.fsTypes.get(type)!.mount(type, options, root);
    if (typeof fs === "number") throw new BootError(`cannot make ${type} (errno ${-fs})`);
    mountAt(ctx, fs, type, flags, at);
  }
  mountAt(ctx, terminalsOf(kernel).devpts, "devpts", MS_NOSUID | MS_NOEXEC, "/dev/pts");
  config.volumes.forEach((volume) => {
    const fs = new GoferFs({
      rootFd: volume.fd,
      dev: allocateAnonymousDev(),
      exclusive: false,
      readonly: !volume.rw,
      unmappedId: config.unmappedId,
      unmappedGroup,
      client: gofer,
    });
    const flags = volume.rw ? 0 : MS_RDONLY;
    mountAt(ctx, fs, "volume", flags, volume.dst, volume.isDirectory);
  });
  return ns;
}

function mountAt(
  ctx: WalkContext,
  fs: Filesystem,
  source: string,
  flags: number,
  path: string,
  isDirectory = true,
): void {
  if ((flags & MS_RDONLY) === 0) fs.readOnly = false;
  const at = makePlace(ctx, path, isDirectory);
  let err = typeof at === "number" ? at : 0;
  if (typeof at !== "number") {
    const fits = isDirectory === ((at.dentry.inode!.mode & S_IFMT) === S_IFDIR);
    err = fits ? ctx.mountNs.mount(fs, source, flags, at) : -ENOTDIR;
  }
  if (err === 0) return;
  const why = err === -EINVAL ? `".." in what is not there` : errnoName(-err);
  const what = `cannot mount ${source} at ${path}: ${why}`;
  throw source === "volume" ? new BootError(what, BAD_USE) : new BootError(what);
}

/** The directory (or file) to mount on, made with its parents in the overlay when it is missing. */
export function makePlace(ctx: WalkContext, path: string, isDirectory: boolean): PathRef | number {
  const found = walk(ctx, ctx.root, path, 0);
  if (found !== -ENOENT) return found;
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.includes("..")) return -EINVAL;
  let at = "";
  for (let i = 0; i < parts.length; i++) {
    at += "/" + parts[i];
    const isLast = i === parts.length - 1;
    const err = isLast && !isDirectory
      ? mknodAt(ctx, ctx.root, at, 0o100644, 0)
      : mkdirAt(ctx, ctx.root, at, 0o755);
    if (err < 0 && err !== -EEXIST) return err;
  }
  return walk(ctx, ctx.root, path, 0);
}
