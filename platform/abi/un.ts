/**
 * Unix domain addresses (linux/un.h): unix(7).
 */

export const UNIX_PATH_MAX = 108;

/** struct sockaddr_un; an abstract name starts with a zero byte. */
export const SOCKADDR_UN_SIZE = 110;
export const SOCKADDR_UN_OFF_FAMILY = 0;
export const SOCKADDR_UN_OFF_PATH = 2;
