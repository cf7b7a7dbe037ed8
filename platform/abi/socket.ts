/**
 * Sockets (sys/socket.h, asm/socket.h): socket(2), socket(7), sendmsg(2), cmsg(3).
 */

import { getU64, setU64, zero } from "./bytes.ts";

// Address families
export const AF_UNSPEC = 0;
export const AF_LOCAL = 1;
export const AF_UNIX = 1;
export const AF_FILE = 1;
export const AF_INET = 2;
export const AF_AX25 = 3;
export const AF_IPX = 4;
export const AF_APPLETALK = 5;
export const AF_NETROM = 6;
export const AF_BRIDGE = 7;
export const AF_ATMPVC = 8;
export const AF_X25 = 9;
export const AF_INET6 = 10;
export const AF_ROSE = 11;
export const AF_DECnet = 12;
export const AF_NETBEUI = 13;
export const AF_SECURITY = 14;
export const AF_KEY = 15;
export const AF_NETLINK = 16;
export const AF_ROUTE = 16;
export const AF_PACKET = 17;
export const AF_ASH = 18;
export const AF_ECONET = 19;
export const AF_ATMSVC = 20;
export const AF_RDS = 21;
export const AF_SNA = 22;
export const AF_IRDA = 23;
export const AF_PPPOX = 24;
export const AF_WANPIPE = 25;
export const AF_LLC = 26;
export const AF_IB = 27;
export const AF_MPLS = 28;
export const AF_CAN = 29;
export const AF_TIPC = 30;
export const AF_BLUETOOTH = 31;
export const AF_IUCV = 32;
export const AF_RXRPC = 33;
export const AF_ISDN = 34;
export const AF_PHONET = 35;
export const AF_IEEE802154 = 36;
export const AF_CAIF = 37;
export const AF_ALG = 38;
export const AF_NFC = 39;
export const AF_VSOCK = 40;
export const AF_KCM = 41;
export const AF_QIPCRTR = 42;
export const AF_SMC = 43;
export const AF_XDP = 44;
export const AF_MCTP = 45;

// Types
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_RDM = 4;
export const SOCK_SEQPACKET = 5;
export const SOCK_DCCP = 6;
export const SOCK_PACKET = 10;

export const SOCK_CLOEXEC = 0o2000000;
export const SOCK_NONBLOCK = 0o4000;

// Levels
export const SOL_RAW = 255;
export const SOL_DECNET = 261;
export const SOL_X25 = 262;
export const SOL_PACKET = 263;
export const SOL_ATM = 264;
export const SOL_AAL = 265;
export const SOL_IRDA = 266;
export const SOL_NETBEUI = 267;
export const SOL_LLC = 268;
export const SOL_DCCP = 269;
export const SOL_NETLINK = 270;
export const SOL_TIPC = 271;
export const SOL_RXRPC = 272;
export const SOL_PPPOL2TP = 273;
export const SOL_BLUETOOTH = 274;
export const SOL_PNPIPE = 275;
export const SOL_RDS = 276;
export const SOL_IUCV = 277;
export const SOL_CAIF = 278;
export const SOL_ALG = 279;
export const SOL_NFC = 280;
export const SOL_KCM = 281;
export const SOL_TLS = 282;
export const SOL_XDP = 283;
export const SOL_MPTCP = 284;
export const SOL_MCTP = 285;
export const SOL_SMC = 286;
export const SOL_SOCKET = 1;

// Options of SOL_SOCKET
export const SO_DEBUG = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_DONTROUTE = 5;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_KEEPALIVE = 9;
export const SO_OOBINLINE = 10;
export const SO_NO_CHECK = 11;
export const SO_PRIORITY = 12;
export const SO_LINGER = 13;
export const SO_BSDCOMPAT = 14;
export const SO_REUSEPORT = 15;
export const SO_PASSCRED = 16;
export const SO_PEERCRED = 17;
export const SO_RCVLOWAT = 18;
export const SO_SNDLOWAT = 19;
export const SO_RCVTIMEO_OLD = 20;
export const SO_SNDTIMEO_OLD = 21;
export const SO_SECURITY_AUTHENTICATION = 22;
export const SO_SECURITY_ENCRYPTION_TRANSPORT = 23;
export const SO_SECURITY_ENCRYPTION_NETWORK = 24;
export const SO_BINDTODEVICE = 25;
export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;
export const SO_GET_FILTER = 26;
export const SO_PEERNAME = 28;
export const SO_ACCEPTCONN = 30;
export const SO_PEERSEC = 31;
export const SO_PASSSEC = 34;
export const SO_MARK = 36;
export const SO_PROTOCOL = 38;
export const SO_DOMAIN = 39;
export const SO_RXQ_OVFL = 40;
export const SO_WIFI_STATUS = 41;
export const SO_PEEK_OFF = 42;
export const SO_NOFCS = 43;
export const SO_LOCK_FILTER = 44;
export const SO_SELECT_ERR_QUEUE = 45;
export const SO_BUSY_POLL = 46;
export const SO_MAX_PACING_RATE = 47;
export const SO_BPF_EXTENSIONS = 48;
export const SO_INCOMING_CPU = 49;
export const SO_ATTACH_BPF = 50;
export const SO_DETACH_BPF = 27;
export const SO_ATTACH_REUSEPORT_CBPF = 51;
export const SO_ATTACH_REUSEPORT_EBPF = 52;
export const SO_CNX_ADVICE = 53;
export const SO_MEMINFO = 55;
export const SO_INCOMING_NAPI_ID = 56;
export const SO_COOKIE = 57;
export const SO_PEERGROUPS = 59;
export const SO_ZEROCOPY = 60;
export const SO_TXTIME = 61;
export const SO_BINDTOIFINDEX = 62;
export const SO_TIMESTAMP_OLD = 29;
export const SO_TIMESTAMPNS_OLD = 35;
export const SO_TIMESTAMPING_OLD = 37;
export const SO_TIMESTAMP_NEW = 63;
export const SO_TIMESTAMPNS_NEW = 64;
export const SO_TIMESTAMPING_NEW = 65;
export const SO_RCVTIMEO_NEW = 66;
export const SO_SNDTIMEO_NEW = 67;
export const SO_DETACH_REUSEPORT_BPF = 68;
export const SO_PREFER_BUSY_POLL = 69;
export const SO_BUSY_POLL_BUDGET = 70;
export const SO_NETNS_COOKIE = 71;
export const SO_BUF_LOCK = 72;
export const SO_RESERVE_MEM = 73;
export const SO_TXREHASH = 74;
export const SO_RCVMARK = 75;
export const SO_TIMESTAMP = 29;
export const SO_TIMESTAMPNS = 35;
export const SO_TIMESTAMPING = 37;
export const SO_RCVTIMEO = 20;
export const SO_SNDTIMEO = 21;
export const SO_PASSPIDFD = 76;
export const SO_PEERPIDFD = 77;
export const SO_DEVMEM_DONTNEED = 80;
export const SO_RCVPRIORITY = 82;
export const SO_PASSRIGHTS = 83;

// Message flags
export const MSG_OOB = 0x1;
export const MSG_PEEK = 0x2;
export const MSG_DONTROUTE = 0x4;
export const MSG_TRYHARD = 0x4;
export const MSG_CTRUNC = 0x8;
export const MSG_PROXY = 0x10;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_EOR = 0x80;
export const MSG_WAITALL = 0x100;
export const MSG_FIN = 0x200;
export const MSG_SYN = 0x400;
export const MSG_CONFIRM = 0x800;
export const MSG_RST = 0x1000;
export const MSG_ERRQUEUE = 0x2000;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_MORE = 0x8000;
export const MSG_WAITFORONE = 0x10000;
export const MSG_BATCH = 0x40000;
export const MSG_ZEROCOPY = 0x4000000;
export const MSG_FASTOPEN = 0x20000000;
export const MSG_CMSG_CLOEXEC = 0x40000000;
export const MSG_SOCK_DEVMEM = 0x2000000;

// Control messages
export const SCM_RIGHTS = 1;
export const SCM_CREDENTIALS = 2;
export const SCM_WIFI_STATUS = 41;
export const SCM_TIMESTAMPING_OPT_STATS = 54;
export const SCM_TIMESTAMPING_PKTINFO = 58;
export const SCM_TXTIME = 61;
export const SCM_TIMESTAMP = 29;
export const SCM_TIMESTAMPNS = 35;
export const SCM_TIMESTAMPING = 37;
export const SCM_SECURITY = 3;
export const SCM_PIDFD = 4;
export const SCM_MAX_FD = 253;

// shutdown(2)
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

export const SOMAXCONN = 4096;

/** struct msghdr. */
export const MSGHDR_SIZE = 56;
export const MSGHDR_OFF_NAME_ADDR = 0;
export const MSGHDR_OFF_NAME_LEN = 8;
export const MSGHDR_OFF_IOV_ADDR = 16;
export const MSGHDR_OFF_IOV_COUNT = 24;
export const MSGHDR_OFF_CONTROL_ADDR = 32;
export const MSGHDR_OFF_CONTROL_LEN = 40;
export const MSGHDR_OFF_FLAGS = 48;

export interface Msghdr {
  nameAddr: number;
  nameLen: number;
  iovAddr: number;
  iovCount: number;
  controlAddr: number;
  controlLen: number;
  flags: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putMsghdr(v: DataView, off: number, s: Msghdr): void {
  zero(v, off, MSGHDR_SIZE);
  setU64(v, off + MSGHDR_OFF_NAME_ADDR, s.nameAddr);
  v.setUint32(off + MSGHDR_OFF_NAME_LEN, s.nameLen, true);
  setU64(v, off + MSGHDR_OFF_IOV_ADDR, s.iovAddr);
  setU64(v, off + MSGHDR_OFF_IOV_COUNT, s.iovCount);
  setU64(v, off + MSGHDR_OFF_CONTROL_ADDR, s.controlAddr);
  setU64(v, off + MSGHDR_OFF_CONTROL_LEN, s.controlLen);
  v.setInt32(off + MSGHDR_OFF_FLAGS, s.flags, true);
}

export function getMsghdr(v: DataView, off: number): Msghdr {
  return {
    nameAddr: getU64(v, off + MSGHDR_OFF_NAME_ADDR),
    nameLen: v.getUint32(off + MSGHDR_OFF_NAME_LEN, true),
    iovAddr: getU64(v, off + MSGHDR_OFF_IOV_ADDR),
    iovCount: getU64(v, off + MSGHDR_OFF_IOV_COUNT),
    controlAddr: getU64(v, off + MSGHDR_OFF_CONTROL_ADDR),
    controlLen: getU64(v, off + MSGHDR_OFF_CONTROL_LEN),
    flags: v.getInt32(off + MSGHDR_OFF_FLAGS, true),
  };
}

/** struct mmsghdr, one element of sendmmsg(2)'s vector. */
export const MMSGHDR_SIZE = 64;
export const MMSGHDR_OFF_HDR = 0;
export const MMSGHDR_OFF_LEN = 56;

/** struct cmsghdr; its data follow at CMSG_DATA_OFF. */
export const CMSGHDR_SIZE = 16;
export const CMSGHDR_OFF_LEN = 0;
export const CMSGHDR_OFF_LEVEL = 8;
export const CMSGHDR_OFF_TYPE = 12;

export interface Cmsghdr {
  len: number;
  level: number;
  type: number;
}

export function putCmsghdr(
  v: DataView,
  off: number,
  len: number,
  level: number,
  type: number,
): void {
  setU64(v, off + CMSGHDR_OFF_LEN, len);
  v.setInt32(off + CMSGHDR_OFF_LEVEL, level, true);
  v.setInt32(off + CMSGHDR_OFF_TYPE, type, true);
}

export function getCmsghdr(v: DataView, off: number): Cmsghdr {
  return {
    len: getU64(v, off + CMSGHDR_OFF_LEN),
    level: v.getInt32(off + CMSGHDR_OFF_LEVEL, true),
    type: v.getInt32(off + CMSGHDR_OFF_TYPE, true),
  };
}

/** struct ucred, of SCM_CREDENTIALS and SO_PEERCRED. */
export const UCRED_SIZE = 12;
export const UCRED_OFF_PID = 0;
export const UCRED_OFF_UID = 4;
export const UCRED_OFF_GID = 8;

export interface Ucred {
  pid: number;
  uid: number;
  gid: number;
}

export function putUcred(v: DataView, off: number, pid: number, uid: number, gid: number): void {
  v.setInt32(off + UCRED_OFF_PID, pid, true);
  v.setUint32(off + UCRED_OFF_UID, uid, true);
  v.setUint32(off + UCRED_OFF_GID, gid, true);
}

export function getUcred(v: DataView, off: number): Ucred {
  return {
    pid: v.getInt32(off + UCRED_OFF_PID, true),
    uid: v.getUint32(off + UCRED_OFF_UID, true),
    gid: v.getUint32(off + UCRED_OFF_GID, true),
  };
}

/** struct linger, of SO_LINGER. */
export const LINGER_SIZE = 8;
export const LINGER_OFF_ONOFF = 0;
export const LINGER_OFF_LINGER_SEC = 4;

export interface Linger {
  onoff: number;
  lingerSec: number;
}

export function putLinger(v: DataView, off: number, onoff: number, lingerSec: number): void {
  v.setInt32(off + LINGER_OFF_ONOFF, onoff, true);
  v.setInt32(off + LINGER_OFF_LINGER_SEC, lingerSec, true);
}

export function getLinger(v: DataView, off: number): Linger {
  return {
    onoff: v.getInt32(off + LINGER_OFF_ONOFF, true),
    lingerSec: v.getInt32(off + LINGER_OFF_LINGER_SEC, true),
  };
}

/** struct sockaddr_storage; every address starts with a u16 family. */
export const SOCKADDR_STORAGE_SIZE = 128;
export const SOCKADDR_STORAGE_OFF_FAMILY = 0;

export const CMSG_DATA_OFF = 16;

/** Rounds up to a control message's alignment, 8. */
export function cmsgAlign(n: number): number {
  return (n + 7) & ~7;
}

/** Value of cmsg_len for `n` bytes of data. */
export function cmsgLen(n: number): number {
  return CMSGHDR_SIZE + n;
}

/** Room a control message with `n` bytes of data takes. */
export function cmsgSpace(n: number): number {
  return CMSGHDR_SIZE + cmsgAlign(n);
}
