/**
 * What guest threads may know of paths, so that a stat(2) of a file that was looked at before comes to no Sentry:
 * the results of whole path walks, in the platform's memory (PathAnswers).
 *
 * Told are paths that lead nowhere, and the attributes of files that change in known places alone
 * (`Inode.isSteady`). They are told to those who have the credentials and the root directory with which the sandbox
 * begins, and to nobody else. A cached path (path_cache.ts) and its answer are true as long as each other; the
 * answer also no longer than the attributes.
 */
import { ENOENT } from "../../platform/abi/errno.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import type { PathAnswers } from "../../platform/platform.ts";
import { type Credentials, trustOf } from "../auth/credentials.ts";
import type { Dentry } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import type { Mount, PathRef } from "./mount.ts";
import { isStatOf, putInodeStat } from "./stat_words.ts";

/** So many are kept beside the first. */
const KEPT_MAX = 64;

/** What was told of a walk: an answer's number, and what names it; a serial of 0: nothing. */
export interface Told {
  answer: number;
  serial: number;
}

interface View {
  readonly answers: PathAnswers;
  readonly root: PathRef;
  readonly trust: string;
  /** Credentials that have this trust; those that asked last. */
  creds: Credentials;
}

interface Place {
  readonly mount: Mount;
  readonly number: number;
}

/** What answers depend on: a dentry, or an inode whose attributes they tell. */
interface Answered {
  /** The number of one, -1 for none. */
  answer: number;
  /** Those of others. */
  moreAnswers: number[] | null;
}

let view: View | null = null;
let places = new WeakMap<Dentry, Place>();
let lastPlace = 0;
ofOneSandbox(() => view = null);

/** From now on walks with this root and these credentials are told. */
export function startPathAnswers(answers: PathAnswers, root: PathRef, creds: Credentials): void {
  view = { answers, root, trust: trustOf(creds), creds };
  places = new WeakMap();
}

/** Nobody is told anything any more, and what was told is void. */
export function stopPathAnswers(): void {
  view?.answers.dropAll();
  view = null;
}

/** Whether someone with this root and these credentials may know the answers. */
export function maySeeAnswers(root: PathRef, creds: Credentials): boolean {
  if (view === null || root.dentry !== view.root.dentry || root.mount !== view.root.mount) {
    return false;
  }
  if (creds === view.creds) return true;
  if (trustOf(creds) !== view.trust) return false;
  view.creds = creds;
  return true;
}

/** The number by which answers know a directory that is somebody's current one. */
export function placeNumber(at: PathRef): number {
  const known = places.get(at.dentry);
  if (known !== undefined && known.mount === at.mount) return known.number;
  lastPlace = lastPlace + 1 & 0x3fff_ffff || 1;
  places.set(at.dentry, { mount: at.mount, number: lastPlace });
  return lastPlace;
}

/**
 * A walk of `path` led to `ref`, whose dentry is negative where a name on the way was missing. `follow`: for whom
 * that is so, ANSWER_*. `told` becomes what names the answer.
 */
export function tellPath(
  by: { root: PathRef; creds: Credentials },
  start: PathRef,
  path: string,
  follow: number,
  ref: PathRef,
  told: Told,
): void {
  const { dentry } = ref;
  const { inode } = dentry;
  if (view === null || (inode !== null && !inode.isSteady)) return;
  if (!maySeeAnswers(by.root, by.creds)) return;
  let place = 0;
  if (!path.startsWith("/")) {
    const known = places.get(start.dentry);
    if (known === undefined || known.mount !== start.mount) return;
    place = known.number;
  }
  const { answers } = view;
  const number = answers.begin(path, place, follow);
  if (number < 0) return;
  note(dentry, number);
  if (inode !== null) {
    note(inode, number);
    putInodeStat(answers.words, answers.statAt(number), inode);
  }
  answers.publish(number, inode === null ? -ENOENT : 0);
  told.answer = number;
  told.serial = answers.serialOf(number);
}

/** Whether guests know it still, as far as they may. */
export function isTold(told: Told): boolean {
  return view === null || (told.serial !== 0 && view.answers.serialOf(told.answer) === told.serial);
}

/** The number of an answer that tells the attributes of `inode`, -1 when there is none. */
export function answerOf(inode: Inode): number {
  const { answer, moreAnswers } = inode;
  if (view === null || answer < 0) return -1;
  if (tells(answer, inode)) return answer;
  return moreAnswers?.find((number) => tells(number, inode)) ?? -1;
}

/** Names what an answer tells now; 0 when it is void. */
export function answerSerial(number: number): number {
  return number < 0 || view === null ? 0 : view.answers.serialOf(number);
}

/** Its place may have had another answer since. */
function tells(number: number, inode: Inode): boolean {
  const { answers } = view!;
  if (answers.serialOf(number) === 0) return false;
  const at = answers.statAt(number);
  return isStatOf(answers.words, at, inode);
}

function note(of: Answered, number: number): void {
  if (of.moreAnswers !== null && of.moreAnswers.length === KEPT_MAX) forgetAnswers(of);
  if (of.answer < 0) of.answer = number;
  else if (of.moreAnswers === null) of.moreAnswers = [number];
  else of.moreAnswers.push(number);
}

/** What was told of it is true no longer. Their places may have others by now, which is no harm. */
export function forgetAnswers(of: Answered): void {
  const { answer, moreAnswers } = of;
  if (answer < 0) return;
  of.answer = -1;
  of.moreAnswers = null;
  if (view === null) return;
  view.answers.drop(answer);
  if (moreAnswers !== null) { for (const number of moreAnswers) view.answers.drop(number); }
}

/** The attributes change. */
export function forgetAttributes(inode: Inode): void {
  if (inode.answer >= 0) forgetAnswers(inode);
}

/** A name in the middle of paths, or a permission to search, may have changed. */
export function forgetAllAnswers(): void {
  view?.answers.dropAll();
}
