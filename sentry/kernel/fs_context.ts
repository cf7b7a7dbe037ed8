/** Root, current directory and umask (Linux: fs_struct); shared by CLONE_FS. */
import type { Credentials } from "../auth/credentials.ts";
import { acquirePath, type MountNamespace, type PathRef, releasePath } from "../vfs/mount.ts";
import type { WalkContext } from "../vfs/namei.ts";

export class FsContext {
  /** Tasks that share it. */
  refs = 1;
  /** Tasks of several processes have shared it (clone with CLONE_FS and without CLONE_THREAD). */
  isShared = false;
  #walk: WalkContext | null = null;

  /** Takes over the references that both paths hold. */
  constructor(
    public root: PathRef,
    public cwd: PathRef,
    public umask: number,
    public mountNs: MountNamespace,
  ) {}

  acquire(): this {
    this.refs++;
    return this;
  }

  release(): void {
    if (--this.refs !== 0) return;
    releasePath(this.root);
    releasePath(this.cwd);
  }

  /** A private copy, for a child without CLONE_FS and for unshare(2). */
  fork(): FsContext {
    return new FsContext(acquirePath(this.root), acquirePath(this.cwd), this.umask, this.mountNs);
  }

  /** chdir(2): takes over the reference that `path` holds. */
  setCwd(path: PathRef): void {
    const old = this.cwd;
    this.cwd = path;
    releasePath(old);
  }

  /** chroot(2): takes over the reference that `path` holds. */
  setRoot(path: PathRef): void {
    const old = this.root;
    this.root = path;
    releasePath(old);
  }

  /** Moves to a copy of its mount namespace (MountNamespace.clone), which the caller owns. */
  enterNamespace(ns: MountNamespace, translate: (p: PathRef) => PathRef): void {
    this.mountNs = ns;
    this.setRoot(acquirePath(translate(this.root)));
    this.setCwd(acquirePath(translate(this.cwd)));
  }

  /** What a path walk needs; immutable, and the same object as long as nothing in it changed. */
  walkContext(creds: Credentials): WalkContext {
    const last = this.#walk;
    if (
      last !== null && last.creds === creds && last.root === this.root && last.cwd === this.cwd &&
      last.mountNs === this.mountNs && last.umask === this.umask
    ) return last;
    const { root, cwd, mountNs, umask } = this;
    return this.#walk = { root, cwd, creds, mountNs, umask };
  }
}
