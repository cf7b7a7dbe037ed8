/** Paths and mount tables as text: getcwd(2), /proc/PID/{fd,maps,mounts,mountinfo}. */
import { ENAMETOOLONG } from "../../platform/abi/errno.ts";
import { PATH_MAX } from "../../platform/abi/limits.ts";
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
} from "../../platform/abi/mount.ts";
import { MS_NOSYMFOLLOW, MS_RDONLY, MS_STRICTATIME } from "../../platform/abi/mount.ts";
import { major, minor } from "../../platform/abi/sysmacros.ts";
import type { FileDescription } from "./file.ts";
import { isPathBelow, type Mount, type MountNamespace, type PathRef } from "./mount.ts";

/** Why `lastPathReached` is false: the text of `pathOf` does not begin at `root`. */
let reached = true;
/** Whether the last `pathOf` ended at the root it was given; if not, it lies outside. */
export function lastPathReached(): boolean {
  return reached;
}

/**
 * The absolute path of `p` as seen from `root` (Linux: d_path), without " (deleted)". Pseudo files
 * (pipe:[7], anon_inode:[eventfd]) give their name.
 */
export function pathOf(p: PathRef, root: PathRef): string {
  let { mount, dentry } = p;
  let text = "";
  reached = true;
  for (;;) {
    if (dentry === root.dentry && mount === root.mount) break;
    if (dentry === mount.root) {
      if (mount.parent === null) {
        if (dentry.parent === null && dentry.name !== "/") return dentry.name; // A pseudo file.
        reached = false;
        break;
      }
      dentry = mount.mountpoint!;
      mount = mount.parent;
      continue;
    }
    if (dentry.parent === null) {
      reached = false;
      return dentry.name;
    }
    text = "/" + dentry.name + text;
    dentry = dentry.parent;
  }
  return text === "" ? "/" : text;
}

/** `pathOf` as /proc/PID/fd shows it. */
export function pathText(p: PathRef, root: PathRef): string {
  const text = pathOf(p, root);
  return p.dentry.unlinked ? text + " (deleted)" : text;
}

/** What readlink of a link in /proc/PID gives (do_proc_readlink); -ENAMETOOLONG. */
export function linkText(p: PathRef, root: PathRef): string | number {
  const text = pathText(p, root);
  return text.length < PATH_MAX ? text : -ENAMETOOLONG;
}

/** The place an open file was opened at, as /proc/PID/maps shows it. */
export function fileText(f: FileDescription, root: PathRef): string {
  return pathText({ mount: f.mount, dentry: f.dentry }, root);
}

const FLAG_NAMES: readonly [number, string][] = [
  [MS_NOSUID, ",nosuid"],
  [MS_NODEV, ",nodev"],
  [MS_NOEXEC, ",noexec"],
  [MS_NOATIME, ",noatime"],
  [MS_NODIRATIME, ",nodiratime"],
  [MS_NOSYMFOLLOW, ",nosymfollow"],
];

function flagsText(m: Mount): string {
  let text = (m.flags & MS_RDONLY) !== 0 ? "ro" : "rw";
  for (const [bit, name] of FLAG_NAMES) if ((m.flags & bit) !== 0) text += name;
  if ((m.flags & (MS_NOATIME | MS_STRICTATIME)) === 0) text += ",relatime";
  return text;
}

function optionsText(m: Mount): string {
  const own = m.fs.optionsText?.() ?? "";
  return own === "" ? "" : "," + own;
}

/** Spaces, tabs, newlines, backslashes (and '#' at the front) as octal, see fstab(5). */
function mangle(s: string): string {
  let text = "";
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    text += c === 32 || c === 9 || c === 10 || c === 92 || (c === 35 && i === 0)
      ? "\\" + c.toString(8).padStart(3, "0")
      : s[i];
  }
  return text;
}

/** Mounts that `root` reaches, parents before children. */
function visibleMounts(ns: MountNamespace, root: PathRef): Mount[] {
  return [...ns.mounts].filter((m) =>
    m === root.mount || (m.parent !== null && isPathBelow({ mount: m, dentry: m.root }, root))
  );
}

function mountPointText(m: Mount, root: PathRef): string {
  return mangle(pathOf({ mount: m, dentry: m.root }, root));
}

/** /proc/PID/mounts. */
export function mountsText(ns: MountNamespace, root: PathRef): string {
  let text = "";
  for (const m of visibleMounts(ns, root)) {
    text += `${mangle(m.source)} ${mountPointText(m, root)} ${m.fs.typeName} ` +
      `${flagsText(m)}${optionsText(m)} 0 0\n`;
  }
  return text;
}

/** Which part of its file system a mount shows. */
export function mountRootText(m: Mount): string {
  let text = "";
  for (let d = m.root; d.parent !== null; d = d.parent) text = "/" + d.name + text;
  return text === "" ? "/" : text;
}

/** The optional fields: groups that the mount is in, and receives from. */
function groupsText(m: Mount): string {
  return (m.peers === null ? "" : ` shared:${m.peers.id}`) +
    (m.master === null ? "" : ` master:${m.master.id}`) + (m.unbindable ? " unbindable" : "");
}

/** /proc/PID/mountinfo. */
export function mountinfoText(ns: MountNamespace, root: PathRef): string {
  let text = "";
  for (const m of visibleMounts(ns, root)) {
    const rw = m.fs.readOnly ?? m.isReadOnly ? "ro" : "rw";
    text += `${m.id} ${m.parent?.id ?? m.id} ${major(m.fs.dev)}:${minor(m.fs.dev)} ` +
      `${mangle(mountRootText(m))} ${mountPointText(m, root)} ${flagsText(m)}${groupsText(m)} - ` +
      `${m.fs.typeName} ${mangle(m.source)} ${rw}${optionsText(m)}\n`;
  }
  return text;
}

/** /proc/PID/mountstats. */
export function mountstatsText(ns: MountNamespace, root: PathRef): string {
  let text = "";
  for (const m of visibleMounts(ns, root)) {
    text += `device ${mangle(m.source)} mounted on ${mountPointText(m, root)} ` +
      `with fstype ${m.fs.typeName}\n`;
  }
  return text;
}
