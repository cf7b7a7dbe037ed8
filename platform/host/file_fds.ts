/**
 * Descriptors of guests' files. Guests open without end: they leave a part of what this process may have to the processes
 * that are to come.
 */
import { EMFILE, ENFILE } from "../abi/errno.ts";
import { closeFd, descriptorLimit } from "./host.ts";
import { ofOneSandbox } from "./one_sandbox.ts";

let limit = -1;
ofOneSandbox(() => limit = -1);

function share(part: number): number {
  if (limit < 0) limit = descriptorLimit();
  return Math.floor(limit * part);
}

/** The host gives the lowest number first, so a number says how many there are. Above are no files. */
const FILES = 3 / 4;

/** How many of one kind that can be closed at any time may be beyond: a small part of what is above. */
export function spareFds(): number {
  return share(1 / 16);
}

/**
 * For each new descriptor of a guest's file that stays as long as the guest likes: itself; -ENFILE when it is one too
 * many, and then it is closed. Errors are passed on.
 */
export function settleFileFd(fd: number): number {
  if (fd < share(FILES)) return fd === -EMFILE ? -ENFILE : fd;
  closeFd(fd);
  return -ENFILE;
}
