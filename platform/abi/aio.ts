/**
 * Linux AIO (linux/aio_abi.h): io_setup(2), io_submit(2), io_getevents(2).
 */

export const IOCB_CMD_PREAD = 0;
export const IOCB_CMD_PWRITE = 1;
export const IOCB_CMD_FSYNC = 2;
export const IOCB_CMD_FDSYNC = 3;
export const IOCB_CMD_POLL = 5;
export const IOCB_CMD_PREADV = 7;
export const IOCB_CMD_PWRITEV = 8;

export const IOCB_FLAG_RESFD = 1;
export const IOCB_FLAG_IOPRIO = 2;

/** struct iocb: one request. */
export const IOCB_SIZE = 64;
export const IOCB_OFF_DATA = 0;
export const IOCB_OFF_KEY = 8;
export const IOCB_OFF_RW_FLAGS = 12;
export const IOCB_OFF_OPCODE = 16;
export const IOCB_OFF_REQPRIO = 18;
export const IOCB_OFF_FD = 20;
export const IOCB_OFF_BUF = 24;
export const IOCB_OFF_NBYTES = 32;
export const IOCB_OFF_OFFSET = 40;
export const IOCB_OFF_RESERVED2 = 48;
export const IOCB_OFF_FLAGS = 56;
export const IOCB_OFF_RESFD = 60;

/** struct io_event: the end of a request. */
export const IO_EVENT_SIZE = 32;
export const IO_EVENT_OFF_DATA = 0;
export const IO_EVENT_OFF_OBJ = 8;
export const IO_EVENT_OFF_RES = 16;
export const IO_EVENT_OFF_RES2 = 24;
