/**
 * Paths that were walked before, so that the second stat("/usr/bin/python3") costs one look-up: whole
 * paths, those that lead nowhere among them, and the directories of last components.
 *
 * An entry is good while nothing on the way may have changed: `dcache.generation` covers mounts,
 * directories, symbolic links and the permission to search; the result's own `seq` covers its name.
 * Only walks through file systems that need no revalidation and without magic links get here.
 */
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import type { Credentials } from "../auth/credentials.ts";
import { dcache, type Dentry } from "./dentry.ts";
import type { Mount, PathRef } from "./mount.ts";
import type { Told } from "./path_answers.ts";

/** Entries of one of the two generations. */
const CAPACITY = 4096;

export interface PathCacheEntry extends Told {
  readonly rootDentry: Dentry;
  readonly rootMount: Mount;
  /** Where a relative path started; null for an absolute path. */
  readonly startDentry: Dentry | null;
  readonly startMount: Mount | null;
  readonly creds: Credentials;
  readonly generation: number;
  readonly seq: number;
  /** The last component was a symbolic link and was followed, or may have been. */
  readonly followedLast: boolean;
  /** The result is a symbolic link. */
  readonly endsInLink: boolean;
  /** Symbolic links on the way. */
  readonly links: number;
  /** The dentry is negative where a name on the way was missing. */
  readonly ref: PathRef;
}

let young = new Map<string, PathCacheEntry>();
let old = new Map<string, PathCacheEntry>();
ofOneSandbox(() => {
  young = new Map();
  old = new Map();
});

/** What is known of `path`, or null. */
export function lookupPath(
  path: string,
  root: PathRef,
  start: PathRef,
  creds: Credentials,
  follow: boolean,
): PathCacheEntry | null {
  let e = young.get(path);
  if (e === undefined) {
    e = old.get(path);
    if (e === undefined) return null;
    if (e.generation !== dcache.generation) return null;
    insert(path, e);
  }
  if (e.generation !== dcache.generation || e.creds !== creds) return null;
  const dentry = e.ref.dentry;
  if (dentry.seq !== e.seq || e.rootDentry !== root.dentry || e.rootMount !== root.mount) {
    return null;
  }
  if (e.startDentry !== null && (e.startDentry !== start.dentry || e.startMount !== start.mount)) {
    return null;
  }
  if (follow ? e.endsInLink : e.followedLast) return null;
  dentry.used = true;
  return e;
}

export function rememberPath(path: string, entry: PathCacheEntry): void {
  insert(path, entry);
}

function insert(path: string, entry: PathCacheEntry): void {
  if (young.size >= CAPACITY) {
    old = young;
    young = new Map();
  }
  young.set(path, entry);
}
