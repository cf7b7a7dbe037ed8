/**
 * ioctl(2) requests: terminals (asm/ioctls.h), files and block devices (linux/fs.h), sockets and
 * interfaces (linux/sockios.h).
 */

// Number encoding
export const _IOC_NRBITS = 8;
export const _IOC_TYPEBITS = 8;
export const _IOC_SIZEBITS = 14;
export const _IOC_DIRBITS = 2;
export const _IOC_NRMASK = 0xff;
export const _IOC_TYPEMASK = 0xff;
export const _IOC_SIZEMASK = 0x3fff;
export const _IOC_DIRMASK = 3;
export const _IOC_NRSHIFT = 0;
export const _IOC_TYPESHIFT = 8;
export const _IOC_SIZESHIFT = 16;
export const _IOC_DIRSHIFT = 30;
export const _IOC_NONE = 0;
export const _IOC_WRITE = 1;
export const _IOC_READ = 2;

// Terminals
export const TCGETS = 0x5401;
export const TCSETS = 0x5402;
export const TCSETSW = 0x5403;
export const TCSETSF = 0x5404;
export const TCGETA = 0x5405;
export const TCSETA = 0x5406;
export const TCSETAW = 0x5407;
export const TCSETAF = 0x5408;
export const TCSBRK = 0x5409;
export const TCXONC = 0x540a;
export const TCFLSH = 0x540b;
export const TCSBRKP = 0x5425;
export const TCGETS2 = 0x802c542a;
export const TCSETS2 = 0x402c542b;
export const TCSETSW2 = 0x402c542c;
export const TCSETSF2 = 0x402c542d;
export const TCGETX = 0x5432;
export const TCSETX = 0x5433;
export const TCSETXF = 0x5434;
export const TCSETXW = 0x5435;
export const TIOCEXCL = 0x540c;
export const TIOCNXCL = 0x540d;
export const TIOCSCTTY = 0x540e;
export const TIOCGPGRP = 0x540f;
export const TIOCSPGRP = 0x5410;
export const TIOCOUTQ = 0x5411;
export const TIOCSTI = 0x5412;
export const TIOCGWINSZ = 0x5413;
export const TIOCSWINSZ = 0x5414;
export const TIOCMGET = 0x5415;
export const TIOCMBIS = 0x5416;
export const TIOCMBIC = 0x5417;
export const TIOCMSET = 0x5418;
export const TIOCGSOFTCAR = 0x5419;
export const TIOCSSOFTCAR = 0x541a;
export const TIOCINQ = 0x541b;
export const TIOCLINUX = 0x541c;
export const TIOCCONS = 0x541d;
export const TIOCGSERIAL = 0x541e;
export const TIOCSSERIAL = 0x541f;
export const TIOCPKT = 0x5420;
export const TIOCNOTTY = 0x5422;
export const TIOCSETD = 0x5423;
export const TIOCGETD = 0x5424;
export const TIOCSBRK = 0x5427;
export const TIOCCBRK = 0x5428;
export const TIOCGSID = 0x5429;
export const TIOCGRS485 = 0x542e;
export const TIOCSRS485 = 0x542f;
export const TIOCGPTN = 0x80045430;
export const TIOCSPTLCK = 0x40045431;
export const TIOCGDEV = 0x80045432;
export const TIOCSIG = 0x40045436;
export const TIOCVHANGUP = 0x5437;
export const TIOCGPKT = 0x80045438;
export const TIOCGPTLCK = 0x80045439;
export const TIOCGEXCL = 0x80045440;
export const TIOCGPTPEER = 0x5441;
export const TIOCSERCONFIG = 0x5453;
export const TIOCSERGWILD = 0x5454;
export const TIOCSERSWILD = 0x5455;
export const TIOCGLCKTRMIOS = 0x5456;
export const TIOCSLCKTRMIOS = 0x5457;
export const TIOCSERGSTRUCT = 0x5458;
export const TIOCSERGETLSR = 0x5459;
export const TIOCSERGETMULTI = 0x545a;
export const TIOCSERSETMULTI = 0x545b;
export const TIOCMIWAIT = 0x545c;
export const TIOCGICOUNT = 0x545d;

// TIOCPKT modes
export const TIOCPKT_DATA = 0;
export const TIOCPKT_FLUSHREAD = 1;
export const TIOCPKT_FLUSHWRITE = 2;
export const TIOCPKT_STOP = 4;
export const TIOCPKT_START = 8;
export const TIOCPKT_NOSTOP = 16;
export const TIOCPKT_DOSTOP = 32;
export const TIOCPKT_IOCTL = 64;

// Any file
export const FIONREAD = 0x541b;
export const FIONBIO = 0x5421;
export const FIONCLEX = 0x5450;
export const FIOCLEX = 0x5451;
export const FIOASYNC = 0x5452;
export const FIOQSIZE = 0x5460;
export const FIOSETOWN = 0x8901;
export const FIOGETOWN = 0x8903;
export const FS_IOC_FIEMAP = 0xc020660b;
export const FIGETBSZ = 0x2;
export const FIBMAP = 0x1;
export const FIFREEZE = 0xc0045877;
export const FITHAW = 0xc0045878;
export const FITRIM = 0xc0185879;
export const FICLONE = 0x40049409;
export const FICLONERANGE = 0x4020940d;
export const FIDEDUPERANGE = 0xc0189436;

// Sockets and interfaces
export const SIOCSPGRP = 0x8902;
export const SIOCGPGRP = 0x8904;
export const SIOCATMARK = 0x8905;
export const SIOCINQ = 0x541b;
export const SIOCOUTQ = 0x5411;
export const SIOCGSTAMP = 0x8906;
export const SIOCGSTAMPNS = 0x8907;
export const SIOCADDRT = 0x890b;
export const SIOCDELRT = 0x890c;
export const SIOCRTMSG = 0x890d;
export const SIOCGIFNAME = 0x8910;
export const SIOCSIFLINK = 0x8911;
export const SIOCGIFCONF = 0x8912;
export const SIOCGIFFLAGS = 0x8913;
export const SIOCSIFFLAGS = 0x8914;
export const SIOCGIFADDR = 0x8915;
export const SIOCSIFADDR = 0x8916;
export const SIOCGIFDSTADDR = 0x8917;
export const SIOCSIFDSTADDR = 0x8918;
export const SIOCGIFBRDADDR = 0x8919;
export const SIOCSIFBRDADDR = 0x891a;
export const SIOCGIFNETMASK = 0x891b;
export const SIOCSIFNETMASK = 0x891c;
export const SIOCGIFMETRIC = 0x891d;
export const SIOCSIFMETRIC = 0x891e;
export const SIOCGIFMEM = 0x891f;
export const SIOCSIFMEM = 0x8920;
export const SIOCGIFMTU = 0x8921;
export const SIOCSIFMTU = 0x8922;
export const SIOCSIFNAME = 0x8923;
export const SIOCSIFHWADDR = 0x8924;
export const SIOCGIFENCAP = 0x8925;
export const SIOCSIFENCAP = 0x8926;
export const SIOCGIFHWADDR = 0x8927;
export const SIOCGIFSLAVE = 0x8929;
export const SIOCSIFSLAVE = 0x8930;
export const SIOCADDMULTI = 0x8931;
export const SIOCDELMULTI = 0x8932;
export const SIOCGIFINDEX = 0x8933;
export const SIOCSIFPFLAGS = 0x8934;
export const SIOCGIFPFLAGS = 0x8935;
export const SIOCDIFADDR = 0x8936;
export const SIOCSIFHWBROADCAST = 0x8937;
export const SIOCGIFCOUNT = 0x8938;
export const SIOCGIFBR = 0x8940;
export const SIOCSIFBR = 0x8941;
export const SIOCGIFTXQLEN = 0x8942;
export const SIOCSIFTXQLEN = 0x8943;
export const SIOCETHTOOL = 0x8946;
export const SIOCGMIIPHY = 0x8947;
export const SIOCGMIIREG = 0x8948;
export const SIOCSMIIREG = 0x8949;
export const SIOCWANDEV = 0x894a;
export const SIOCOUTQNSD = 0x894b;
export const SIOCGSKNS = 0x894c;
export const SIOCDARP = 0x8953;
export const SIOCGARP = 0x8954;
export const SIOCSARP = 0x8955;
export const SIOCDRARP = 0x8960;
export const SIOCGRARP = 0x8961;
export const SIOCSRARP = 0x8962;
export const SIOCGIFMAP = 0x8970;
export const SIOCSIFMAP = 0x8971;
export const SIOCADDDLCI = 0x8980;
export const SIOCDELDLCI = 0x8981;
export const SIOCGIFVLAN = 0x8982;
export const SIOCSIFVLAN = 0x8983;
export const SIOCBONDENSLAVE = 0x8990;
export const SIOCBONDRELEASE = 0x8991;
export const SIOCBONDSETHWADDR = 0x8992;
export const SIOCBONDSLAVEINFOQUERY = 0x8993;
export const SIOCBONDINFOQUERY = 0x8994;
export const SIOCBONDCHANGEACTIVE = 0x8995;
export const SIOCBRADDBR = 0x89a0;
export const SIOCBRDELBR = 0x89a1;
export const SIOCBRADDIF = 0x89a2;
export const SIOCBRDELIF = 0x89a3;
export const SIOCSHWTSTAMP = 0x89b0;
export const SIOCGHWTSTAMP = 0x89b1;
export const SIOCDEVPRIVATE = 0x89f0;
export const SIOCPROTOPRIVATE = 0x89e0;
export const SOCK_IOC_TYPE = 0x89;

// Files
export const FS_IOC_SET_ENCRYPTION_POLICY = 0x800c6613;
export const FS_IOC_GET_ENCRYPTION_PWSALT = 0x40106614;
export const FS_IOC_GET_ENCRYPTION_POLICY = 0x400c6615;
export const FS_IOC_GET_ENCRYPTION_POLICY_EX = 0xc0096616;
export const FS_IOC_ADD_ENCRYPTION_KEY = 0xc0506617;
export const FS_IOC_REMOVE_ENCRYPTION_KEY = 0xc0406618;
export const FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS = 0xc0406619;
export const FS_IOC_GET_ENCRYPTION_KEY_STATUS = 0xc080661a;
export const FS_IOC_GET_ENCRYPTION_NONCE = 0x8010661b;
export const FS_IOC_GETFLAGS = 0x80086601;
export const FS_IOC_SETFLAGS = 0x40086602;
export const FS_IOC_GETVERSION = 0x80087601;
export const FS_IOC_SETVERSION = 0x40087602;
export const FS_IOC_FSGETXATTR = 0x801c581f;
export const FS_IOC_FSSETXATTR = 0x401c5820;
export const FS_IOC_GETFSLABEL = 0x81009431;
export const FS_IOC_SETFSLABEL = 0x41009432;
export const FS_IOC32_GETFLAGS = 0x80046601;
export const FS_IOC32_SETFLAGS = 0x40046602;
export const FS_IOC32_GETVERSION = 0x80047601;
export const FS_IOC32_SETVERSION = 0x40047602;

// Block devices
export const BLKROSET = 0x125d;
export const BLKROGET = 0x125e;
export const BLKRRPART = 0x125f;
export const BLKGETSIZE = 0x1260;
export const BLKFLSBUF = 0x1261;
export const BLKRASET = 0x1262;
export const BLKRAGET = 0x1263;
export const BLKFRASET = 0x1264;
export const BLKFRAGET = 0x1265;
export const BLKSECTSET = 0x1266;
export const BLKSECTGET = 0x1267;
export const BLKSSZGET = 0x1268;
export const BLKBSZGET = 0x80081270;
export const BLKBSZSET = 0x40081271;
export const BLKGETSIZE64 = 0x80081272;
export const BLKTRACESTART = 0x1274;
export const BLKTRACESTOP = 0x1275;
export const BLKTRACETEARDOWN = 0x1276;
export const BLKDISCARD = 0x1277;
export const BLKIOMIN = 0x1278;
export const BLKIOOPT = 0x1279;
export const BLKALIGNOFF = 0x127a;
export const BLKPBSZGET = 0x127b;
export const BLKDISCARDZEROES = 0x127c;
export const BLKSECDISCARD = 0x127d;
export const BLKROTATIONAL = 0x127e;
export const BLKZEROOUT = 0x127f;
export const BLKGETDISKSEQ = 0x80081280;

// Namespaces
export const NS_GET_USERNS = 0xb701;
export const NS_GET_PARENT = 0xb702;
export const NS_GET_NSTYPE = 0xb703;
export const NS_GET_OWNER_UID = 0xb704;

// /dev/random
export const RNDGETENTCNT = 0x80045200;
export const RNDADDTOENTCNT = 0x40045201;
export const RNDGETPOOL = 0x80085202;
export const RNDADDENTROPY = 0x40085203;
export const RNDZAPENTCNT = 0x5204;
export const RNDCLEARPOOL = 0x5206;
export const RNDRESEEDCRNG = 0x5207;

/** The request's type character, number, size and direction: linux/ioctl.h. */
export function iocType(request: number): number {
  return (request >>> _IOC_TYPESHIFT) & 0xff;
}

export function iocNr(request: number): number {
  return request & 0xff;
}

export function iocSize(request: number): number {
  return (request >>> _IOC_SIZESHIFT) & 0x3fff;
}

export function iocDir(request: number): number {
  return request >>> _IOC_DIRSHIFT;
}
