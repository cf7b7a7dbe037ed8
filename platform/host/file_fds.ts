/**
 * Descriptors of guests' files. Guests open without end: they leave a part of what this process may have to the processes
 * that are to come.
 */
import { EMFILE, ENFILE } from "../abi/errno.ts";
import { closeFd, descriptorLimit } from "./host.ts";

/** The host gives the lowest number first, so a number says how many there are. Above are no files. */
const END = Math.floor(descriptorLimit() * 3 / 4);

/** How many of one kind that can be closed at any time may be beyond: a small part of what is above. */
export const SPARE_FDS = Math.floor(descriptorLimit() / 16);

/**
 * For each new descriptor of a guest's file that stays as long as the guest likes: itself; -ENFILE when it is one too
 * many, and then it is closed. Errors are passed on.
 */
export function settleFileFd(fd: number): number {
  if (fd < END) return fd === -EMFILE ? -ENFILE : fd;
  closeFd(fd);
  return -ENFILE;
}
