/** Offsets of platform/native/stub/slot.h; slot_test.ts compares the two. */
export {
  ANSWER_FOLLOW,
  ANSWER_NOFOLLOW,
  IDENTITY_PLACE as WORD_PLACE,
  IDENTITY_ROOM as WORD_ROOM,
  IDENTITY_SOLE as WORD_SOLE,
  IDENTITY_TID as WORD_TID,
  IDENTITY_UNTOUCHED as WORD_UNTOUCHED,
  IDENTITY_VIEW as WORD_VIEW,
  QUIET_FDS,
} from "../platform.ts";
export { STAT_SIZE as ANSWER_STAT_SIZE } from "../abi/stat.ts";

export const TASK_SIZE_GUEST = 0x7ffd_0000_0000;
export const CONTROL_BASE = 0x7ffe_f7e4_0000;
export const CONTROL_SIZE = 0x1_0000_0000;
export const SLOT_SIZE = 0x4_0000;
export const SLOT_MAX = 16384;

/** Where a slot lies in the control region: they are counted from its end. */
export function slotOffset(index: number): number {
  return (SLOT_MAX - 1 - index) * SLOT_SIZE;
}

export const STATE_GUEST = 0;
export const STATE_SENTRY = 1;
export const STATE_REPLY = 2;

export const EVENT_QUIT = 8;
export const STUB_EVENT_LOST = 5;
export const STUB_EVENT_CALL_FAILED = 4;

export const REPLY_FULL = 1;
export const REPLY_FLUSH = 2;
export const REPLY_PARK = 4;

export const CMD_CALL = 1;
export const CMD_MMAP_FD = 2;
export const CMD_COPY_OUT = 3;
export const CMD_ZERO = 4;
export const CMD_SAVE_FP = 5;
export const CMD_LOAD_FP = 6;
export const CMD_FORK = 7;
export const CMD_THREAD = 8;
export const CMD_EXIT = 9;
export const CMD_CALL_RESULT = 10;
export const CMD_MMAP_SAME = 11;
export const CMD_COPY_IN = 12;

// Indexes into an Int32Array over the slot.
export const I_STATE = 0;
export const I_SLEEPING = 1;
export const I_EVENT = 2;
export const I_REPLY = 3;
export const I_NCOMMANDS = 4;
export const I_NPREFETCHED = 5;
export const I_RAX = 6;
export const I_NR = 8;
export const I_SIGNAL_PATH = 9;
export const I_INTERRUPTED = 10;
export const I_WAITING = 11;
export const I_FIRST = 13;
export const I_REGS = 16;
export const I_MXCSR = 58;
export const I_FCW = 59;
export const I_FP_IMAGE = 60;
export const I_ENTRY = 62;
export const I_SELF = 64;
export const I_ALIVE = 66;
export const I_FAILED = 67;
export const I_RESULT = 68;
export const I_PREFETCHED = 70;
export const I_HOST_TID = 102;
export const I_FD_READY = 104;
export const I_VDSO = 108;
export const I_FD_LOCK = 110;
export const I_WORDS = 112;
export const I_FAULT_SIGNAL = 128;
export const I_FAULT_CODE = 129;
export const I_FAULT_ADDR = 130;
export const I_FAULT_TRAPNO = 132;
export const I_FAULT_ERROR = 133;
export const I_DEFAULTED = 134;
export const I_RESTORER = 136;
export const I_BLOCKED = 138;
export const I_ROBUST = 140;
export const I_PENDING = 142;
export const I_QUITS = 143;
export const I_CLEAR_TID = 144;
export const I_RSEQ = 146;
export const I_RSEQ_LENGTH = 148;
export const I_RSEQ_SIGNATURE = 149;
export const I_QUIET = 150;
export const I_CLOSED = 151;
export const I_AT = 152;
export const I_KNOWN = 154;
export const I_FRESH = 155;
export const I_ANSWER = 156;
export const I_SERIAL = 157;
export const I_BRK = 158;
export const I_COMMANDS = 160;
export const I_STACK_LIMIT = 928;
export const I_READ_BYTES = 932;
export const I_READS = 934;

export const FDS_MAX = 4;
export const COMMAND_WORDS = 16;
export const COMMAND_MAX = 48;
export const PREFETCH_MAX = 8;
export const USAGE_ADDR = 0x100;
export const CPU_TIME_ADDR = 0x200;
/** Of the stub itself; then comes that of signals, and the rest of the slot. */
export const STACK_TOP = 0x6000;
export const HEAD = 0xa000;
export const HEAD_SIZE = 0x6000;
export const ARENA_IN = 0x1_0000;
export const ARENA_OUT = 0x2_8000;

// Shared page.
export const SHARED_SIZE = 0x2000;
export const SHARED_SPIN = 0x40;
export const SHARED_PREFETCH = 0x400;
export const SHARED_LOCAL = 0xc00;

export const LOCAL_FUTEX = 1;
export const LOCAL_WAIT = 2;
export const LOCAL_CALL = 3;
export const LOCAL_PATH = 4;
export const LOCAL_ACTION = 5;
export const LOCAL_FUTEX2 = 6;
export const LOCAL_MASK = 7;
export const LOCAL_ROBUST = 8;
export const LOCAL_RSEQ = 9;
export const LOCAL_CLEAR_TID = 10;
export const LOCAL_ADVICE = 11;
export const LOCAL_OPEN = 12;
export const LOCAL_FILE = 13;
export const LOCAL_BREAK = 14;
export const LOCAL_LIMIT = 15;
export const LOCAL_SEGMENT = 16;
export const LOCAL_QUIT = 17;
export const LOCAL_WORD = 32;

// Answers, in bytes from ANSWERS_BASE on.
export const ANSWERS_BASE = 0x7fff_f800_0000;
export const ANSWERS_SIZE = 0x51_1000;
export const ANSWERS_GENERATION = 0;
export const ANSWERS_INDEX = 0x1000;
export const ANSWERS_FIRST = 0x1_1000;
export const ANSWER_BUCKETS = 8192;
export const ANSWER_WAYS = 4;
export const ANSWER_COUNT = 16384;
export const ANSWER_PATH_MAX = 144;
export const ANSWER_HASH_START = 0x811c_9dc5;
export const ANSWER_HASH_STEP = 0x0100_0193;

// struct answer, in bytes.
export const ANSWER_BYTES = 320;
export const ANSWER_OFF_SERIAL = 0;
export const ANSWER_OFF_HASH = 4;
export const ANSWER_OFF_GENERATION = 8;
export const ANSWER_OFF_PLACE = 12;
export const ANSWER_OFF_FOLLOW = 16;
export const ANSWER_OFF_LENGTH = 20;
export const ANSWER_OFF_ERROR = 24;
export const ANSWER_OFF_STAT = 32;
export const ANSWER_OFF_PATH = 176;
