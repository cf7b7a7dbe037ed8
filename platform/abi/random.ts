/**
 * getrandom(2) flags (linux/random.h).
 */

export const GRND_NONBLOCK = 0x1;
export const GRND_RANDOM = 0x2;
export const GRND_INSECURE = 0x4;
