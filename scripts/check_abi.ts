/**
 * Compares platform/abi with the system's C headers: every constant, the size of every struct, the
 * offset of every field, and what its put and get functions write and read.
 *
 *   deno run -A scripts/check_abi.ts
 *
 * Needs gcc, linux-libc-dev and libc6-dev. A constant which no listed header declares (the headers
 * are older than the kernel, or it is private to the kernel) is listed as skipped. The exit status
 * is 1 when anything differs.
 */

type Abi = Record<string, unknown>;

/**
 * Module → units, each a list of headers that can be compiled together. A name is looked for in
 * the units in turn, as glibc and kernel headers often cannot be mixed.
 */
const MODULES: Record<string, string[]> = {
  "amd64/syscalls": ["asm/unistd_64.h sys/syscall.h"],
  errno: ["linux/errno.h"],
  fcntl: ["linux/fcntl.h linux/openat2.h", "fcntl.h"],
  stat: ["linux/stat.h asm/stat.h"],
  signal: ["linux/signal.h", "linux/signalfd.h"],
  mman: ["linux/mman.h", "linux/memfd.h"],
  sched: ["linux/types.h linux/sched.h linux/sched/types.h", "sched.h"],
  wait: ["linux/wait.h"],
  futex: ["linux/types.h linux/futex.h"],
  time: ["linux/time.h linux/time_types.h linux/timerfd.h", "linux/timex.h", "sys/stat.h"],
  resource: ["linux/time.h linux/resource.h"],
  epoll: ["linux/eventpoll.h", "sys/epoll.h"],
  poll: ["linux/types.h asm/poll.h", "sys/select.h"],
  eventfd: ["sys/eventfd.h"],
  aio: ["linux/aio_abi.h"],
  ioctl: [
    "stddef.h asm/ioctls.h asm/ioctl.h asm/termios.h linux/fs.h linux/fiemap.h linux/sockios.h",
    "linux/fs.h",
    "linux/net_tstamp.h",
    "linux/nsfs.h",
    "linux/random.h",
    "linux/if_tun.h",
    "linux/loop.h",
  ],
  termios: ["linux/types.h asm/termios.h", "linux/tty.h"],
  socket: ["sys/socket.h", "linux/net.h"],
  un: ["linux/socket.h linux/un.h"],
  in: ["netinet/in.h"],
  uio: ["linux/uio.h", "linux/fs.h"],
  dirent: ["dirent.h"],
  limits: ["linux/limits.h", "limits.h"],
  unistd: ["unistd.h", "linux/fs.h"],
  fs: ["linux/fs.h", "linux/falloc.h"],
  capability: ["linux/capability.h"],
  prctl: ["linux/prctl.h asm/prctl.h"],
  mount: [
    "linux/mount.h asm/statfs.h",
    "sys/mount.h",
    "sys/statvfs.h",
    "linux/magic.h",
    "linux/nsfs.h",
  ],
  elf: ["linux/elf.h", "linux/auxvec.h asm/auxvec.h"],
  random: ["linux/random.h"],
  rseq: ["linux/rseq.h"],
  membarrier: ["linux/membarrier.h"],
  seccomp: ["linux/types.h linux/ioctl.h linux/seccomp.h", "linux/audit.h"],
  filter: ["linux/filter.h"],
  xattr: ["linux/xattr.h", "linux/limits.h"],
  posix_acl: ["linux/types.h linux/posix_acl.h linux/posix_acl_xattr.h"],
  inotify: ["linux/inotify.h", "sys/inotify.h"],
  splice: ["fcntl.h"],
  sysinfo: ["linux/types.h linux/sysinfo.h"],
  syslog: ["sys/klog.h"],
  utsname: ["linux/utsname.h"],
  times: ["linux/times.h"],
  keyctl: ["linux/keyctl.h"],
  close_range: ["linux/close_range.h"],
  pidfd: ["linux/pidfd.h"],
  personality: ["linux/personality.h"],
  kd: ["linux/kd.h"],
  vt: ["linux/vt.h"],
  mempolicy: ["linux/mempolicy.h"],
  kcmp: ["linux/kcmp.h"],
  ioprio: ["linux/ioprio.h"],
  ptrace: ["linux/ptrace.h"],
  "amd64/user": ["sys/user.h"],
  "amd64/sigcontext": ["linux/types.h linux/signal.h asm/sigcontext.h asm/ucontext.h"],
};

/**
 * Structs: module, name of the put and get functions, C type, fields as CONSTANT=member, and the
 * constants' prefix where it does not follow from the name.
 */
const STRUCTS: [string, string, string, string, string?][] = [
  [
    "fcntl",
    "Flock",
    "struct flock",
    "TYPE=l_type WHENCE=l_whence START=l_start LEN=l_len PID=l_pid",
  ],
  [
    "aio",
    "Iocb",
    "struct iocb",
    "DATA=aio_data KEY=aio_key RW_FLAGS=aio_rw_flags OPCODE=aio_lio_opcode REQPRIO=aio_reqprio FD=aio_fildes BUF=aio_buf NBYTES=aio_nbytes OFFSET=aio_offset RESERVED2=aio_reserved2 FLAGS=aio_flags RESFD=aio_resfd",
  ],
  ["aio", "IoEvent", "struct io_event", "DATA=data OBJ=obj RES=res RES2=res2"],
  ["fcntl", "FOwnerEx", "struct f_owner_ex", "TYPE=type PID=pid"],
  ["fcntl", "OpenHow", "struct open_how", "FLAGS=flags MODE=mode RESOLVE=resolve"],
  [
    "fcntl",
    "FileHandle",
    "struct file_handle",
    "BYTES=handle_bytes TYPE=handle_type HANDLE=f_handle",
  ],
  [
    "stat",
    "Stat",
    "struct stat",
    "DEV=st_dev INO=st_ino NLINK=st_nlink MODE=st_mode UID=st_uid GID=st_gid RDEV=st_rdev SIZE=st_size BLKSIZE=st_blksize BLOCKS=st_blocks ATIME_SEC=st_atime ATIME_NSEC=st_atime_nsec MTIME_SEC=st_mtime MTIME_NSEC=st_mtime_nsec CTIME_SEC=st_ctime CTIME_NSEC=st_ctime_nsec",
  ],
  [
    "stat",
    "Statx",
    "struct statx",
    "MASK=stx_mask BLKSIZE=stx_blksize ATTRIBUTES=stx_attributes NLINK=stx_nlink UID=stx_uid GID=stx_gid MODE=stx_mode INO=stx_ino SIZE=stx_size BLOCKS=stx_blocks ATTRIBUTES_MASK=stx_attributes_mask ATIME_SEC=stx_atime.tv_sec ATIME_NSEC=stx_atime.tv_nsec BTIME_SEC=stx_btime.tv_sec BTIME_NSEC=stx_btime.tv_nsec CTIME_SEC=stx_ctime.tv_sec CTIME_NSEC=stx_ctime.tv_nsec MTIME_SEC=stx_mtime.tv_sec MTIME_NSEC=stx_mtime.tv_nsec RDEV_MAJOR=stx_rdev_major RDEV_MINOR=stx_rdev_minor DEV_MAJOR=stx_dev_major DEV_MINOR=stx_dev_minor MNT_ID=stx_mnt_id DIO_MEM_ALIGN=stx_dio_mem_align DIO_OFFSET_ALIGN=stx_dio_offset_align",
    "STATX_BUF",
  ],
  [
    "signal",
    "Sigaction",
    "struct sigaction",
    "HANDLER_ADDR=sa_handler FLAGS=sa_flags RESTORER_ADDR=sa_restorer MASK=sa_mask",
  ],
  ["signal", "StackT", "stack_t", "SP_ADDR=ss_sp FLAGS=ss_flags SIZE_BYTES=ss_size"],
  [
    "signal",
    "Siginfo",
    "siginfo_t",
    "SIGNO=si_signo ERRNO=si_errno CODE=si_code PID=si_pid UID=si_uid STATUS=si_status UTIME=si_utime STIME=si_stime VALUE=si_value TIMERID=si_tid OVERRUN=si_overrun ADDR=si_addr ADDR_LSB=si_addr_lsb LOWER=si_lower UPPER=si_upper PKEY=si_pkey BAND=si_band FD=si_fd CALL_ADDR=si_call_addr SYSCALL=si_syscall ARCH=si_arch",
  ],
  [
    "signal",
    "Sigevent",
    "struct sigevent",
    "VALUE=sigev_value.sival_ptr SIGNO=sigev_signo NOTIFY=sigev_notify THREAD_ID=sigev_notify_thread_id",
  ],
  [
    "signal",
    "SignalfdSiginfo",
    "struct signalfd_siginfo",
    "SIGNO=ssi_signo ERRNO=ssi_errno CODE=ssi_code PID=ssi_pid UID=ssi_uid FD=ssi_fd TID=ssi_tid BAND=ssi_band OVERRUN=ssi_overrun TRAPNO=ssi_trapno STATUS=ssi_status INT=ssi_int PTR=ssi_ptr UTIME=ssi_utime STIME=ssi_stime ADDR=ssi_addr ADDR_LSB=ssi_addr_lsb SYSCALL=ssi_syscall CALL_ADDR=ssi_call_addr ARCH=ssi_arch",
  ],
  [
    "sched",
    "CloneArgs",
    "struct clone_args",
    "FLAGS=flags PIDFD_ADDR=pidfd CHILD_TID_ADDR=child_tid PARENT_TID_ADDR=parent_tid EXIT_SIGNAL=exit_signal STACK_ADDR=stack STACK_SIZE=stack_size TLS_ADDR=tls SET_TID_ADDR=set_tid SET_TID_COUNT=set_tid_size CGROUP_FD=cgroup",
  ],
  [
    "sched",
    "SchedAttr",
    "struct sched_attr",
    "SIZE=size POLICY=sched_policy FLAGS=sched_flags NICE=sched_nice PRIORITY=sched_priority RUNTIME_NS=sched_runtime DEADLINE_NS=sched_deadline PERIOD_NS=sched_period UTIL_MIN=sched_util_min UTIL_MAX=sched_util_max",
  ],
  [
    "futex",
    "RobustListHead",
    "struct robust_list_head",
    "LIST_NEXT_ADDR=list.next FUTEX_OFFSET=futex_offset PENDING_ADDR=list_op_pending",
  ],
  ["futex", "FutexWaitv", "struct futex_waitv", "VAL=val UADDR=uaddr FLAGS=flags"],
  ["time", "Timespec", "struct __kernel_timespec", "SEC=tv_sec NSEC=tv_nsec"],
  ["time", "Timeval", "struct timeval", "SEC=tv_sec USEC=tv_usec"],
  [
    "time",
    "Itimerspec",
    "struct __kernel_itimerspec",
    "INTERVAL_SEC=it_interval.tv_sec INTERVAL_NSEC=it_interval.tv_nsec VALUE_SEC=it_value.tv_sec VALUE_NSEC=it_value.tv_nsec",
  ],
  [
    "time",
    "Itimerval",
    "struct itimerval",
    "INTERVAL_SEC=it_interval.tv_sec INTERVAL_USEC=it_interval.tv_usec VALUE_SEC=it_value.tv_sec VALUE_USEC=it_value.tv_usec",
  ],
  ["time", "Timezone", "struct timezone", "MINUTES_WEST=tz_minuteswest DST_TIME=tz_dsttime"],
  [
    "time",
    "Timex",
    "struct timex",
    "MODES=modes OFFSET=offset FREQ=freq MAXERROR=maxerror ESTERROR=esterror STATUS=status CONSTANT=constant PRECISION=precision TOLERANCE=tolerance TIME_SEC=time.tv_sec TIME_USEC=time.tv_usec TICK=tick PPSFREQ=ppsfreq JITTER=jitter SHIFT=shift STABIL=stabil JITCNT=jitcnt CALCNT=calcnt ERRCNT=errcnt STBCNT=stbcnt TAI=tai",
  ],
  ["resource", "Rlimit", "struct rlimit64", "CUR=rlim_cur MAX=rlim_max"],
  [
    "resource",
    "Rusage",
    "struct rusage",
    "UTIME_SEC=ru_utime.tv_sec UTIME_USEC=ru_utime.tv_usec STIME_SEC=ru_stime.tv_sec STIME_USEC=ru_stime.tv_usec MAXRSS_KB=ru_maxrss IXRSS=ru_ixrss IDRSS=ru_idrss ISRSS=ru_isrss MINFLT=ru_minflt MAJFLT=ru_majflt NSWAP=ru_nswap INBLOCK=ru_inblock OUBLOCK=ru_oublock MSGSND=ru_msgsnd MSGRCV=ru_msgrcv NSIGNALS=ru_nsignals NVCSW=ru_nvcsw NIVCSW=ru_nivcsw",
  ],
  ["epoll", "EpollEvent", "struct epoll_event", "EVENTS=events DATA=data"],
  ["poll", "Pollfd", "struct pollfd", "FD=fd EVENTS=events REVENTS=revents"],
  [
    "termios",
    "Termios",
    "struct termios",
    "IFLAG=c_iflag OFLAG=c_oflag CFLAG=c_cflag LFLAG=c_lflag LINE=c_line CC=c_cc",
  ],
  [
    "termios",
    "Termios2",
    "struct termios2",
    "IFLAG=c_iflag OFLAG=c_oflag CFLAG=c_cflag LFLAG=c_lflag LINE=c_line CC=c_cc ISPEED=c_ispeed OSPEED=c_ospeed",
  ],
  [
    "termios",
    "Termio",
    "struct termio",
    "IFLAG=c_iflag OFLAG=c_oflag CFLAG=c_cflag LFLAG=c_lflag LINE=c_line CC=c_cc",
  ],
  [
    "termios",
    "Winsize",
    "struct winsize",
    "ROW=ws_row COL=ws_col XPIXEL=ws_xpixel YPIXEL=ws_ypixel",
  ],
  [
    "socket",
    "Msghdr",
    "struct msghdr",
    "NAME_ADDR=msg_name NAME_LEN=msg_namelen IOV_ADDR=msg_iov IOV_COUNT=msg_iovlen CONTROL_ADDR=msg_control CONTROL_LEN=msg_controllen FLAGS=msg_flags",
  ],
  ["socket", "Mmsghdr", "struct mmsghdr", "HDR=msg_hdr LEN=msg_len"],
  ["socket", "Cmsghdr", "struct cmsghdr", "LEN=cmsg_len LEVEL=cmsg_level TYPE=cmsg_type"],
  ["socket", "Ucred", "struct ucred", "PID=pid UID=uid GID=gid"],
  ["socket", "Linger", "struct linger", "ONOFF=l_onoff LINGER_SEC=l_linger"],
  ["socket", "SockaddrStorage", "struct sockaddr_storage", "FAMILY=ss_family"],
  ["un", "SockaddrUn", "struct sockaddr_un", "FAMILY=sun_family PATH=sun_path"],
  ["in", "SockaddrIn", "struct sockaddr_in", "FAMILY=sin_family PORT=sin_port ADDR=sin_addr"],
  [
    "in",
    "SockaddrIn6",
    "struct sockaddr_in6",
    "FAMILY=sin6_family PORT=sin6_port FLOWINFO=sin6_flowinfo ADDR=sin6_addr SCOPE_ID=sin6_scope_id",
  ],
  ["uio", "Iovec", "struct iovec", "BASE_ADDR=iov_base LEN=iov_len"],
  [
    "dirent",
    "Dirent64",
    "struct dirent64",
    "INO=d_ino OFF=d_off RECLEN=d_reclen TYPE=d_type NAME=d_name",
  ],
  [
    "fs",
    "FileCloneRange",
    "struct file_clone_range",
    "SRC_FD=src_fd SRC_OFFSET=src_offset SRC_LENGTH=src_length DEST_OFFSET=dest_offset",
  ],
  [
    "fs",
    "Fsxattr",
    "struct fsxattr",
    "XFLAGS=fsx_xflags EXTSIZE=fsx_extsize NEXTENTS=fsx_nextents PROJID=fsx_projid COWEXTSIZE=fsx_cowextsize",
  ],
  ["capability", "CapUserHeader", "struct __user_cap_header_struct", "VERSION=version PID=pid"],
  [
    "capability",
    "CapUserData",
    "struct __user_cap_data_struct",
    "EFFECTIVE=effective PERMITTED=permitted INHERITABLE=inheritable",
  ],
  [
    "capability",
    "VfsCapData",
    "struct vfs_cap_data",
    "MAGIC_ETC=magic_etc PERMITTED_LOW=data[0].permitted INHERITABLE_LOW=data[0].inheritable PERMITTED_HIGH=data[1].permitted INHERITABLE_HIGH=data[1].inheritable",
  ],
  [
    "capability",
    "VfsNsCapData",
    "struct vfs_ns_cap_data",
    "MAGIC_ETC=magic_etc PERMITTED_LOW=data[0].permitted INHERITABLE_LOW=data[0].inheritable PERMITTED_HIGH=data[1].permitted INHERITABLE_HIGH=data[1].inheritable ROOTID=rootid",
  ],
  [
    "mount",
    "Statfs",
    "struct statfs",
    "TYPE=f_type BSIZE=f_bsize BLOCKS=f_blocks BFREE=f_bfree BAVAIL=f_bavail FILES=f_files FFREE=f_ffree FSID_LOW=f_fsid.val[0] FSID_HIGH=f_fsid.val[1] NAMELEN=f_namelen FRSIZE=f_frsize FLAGS=f_flags",
  ],
  [
    "mount",
    "MountAttr",
    "struct mount_attr",
    "ATTR_SET=attr_set ATTR_CLR=attr_clr PROPAGATION=propagation USERNS_FD=userns_fd",
  ],
  [
    "elf",
    "Elf64Ehdr",
    "Elf64_Ehdr",
    "IDENT=e_ident TYPE=e_type MACHINE=e_machine VERSION=e_version ENTRY_ADDR=e_entry PHOFF=e_phoff SHOFF=e_shoff FLAGS=e_flags EHSIZE=e_ehsize PHENTSIZE=e_phentsize PHNUM=e_phnum SHENTSIZE=e_shentsize SHNUM=e_shnum SHSTRNDX=e_shstrndx",
  ],
  [
    "elf",
    "Elf64Phdr",
    "Elf64_Phdr",
    "TYPE=p_type FLAGS=p_flags OFFSET=p_offset VADDR=p_vaddr PADDR=p_paddr FILESZ=p_filesz MEMSZ=p_memsz ALIGN=p_align",
  ],
  [
    "elf",
    "Elf64Shdr",
    "Elf64_Shdr",
    "NAME=sh_name TYPE=sh_type FLAGS=sh_flags ADDR=sh_addr OFFSET=sh_offset SIZE=sh_size LINK=sh_link INFO=sh_info ADDRALIGN=sh_addralign ENTSIZE=sh_entsize",
  ],
  [
    "elf",
    "Elf64Sym",
    "Elf64_Sym",
    "NAME=st_name INFO=st_info OTHER=st_other SHNDX=st_shndx VALUE=st_value SIZE=st_size",
  ],
  ["elf", "Elf64Dyn", "Elf64_Dyn", "TAG=d_tag VAL=d_un.d_val"],
  ["elf", "Elf64Rela", "Elf64_Rela", "OFFSET=r_offset INFO=r_info ADDEND=r_addend"],
  [
    "rseq",
    "Rseq",
    "struct rseq",
    "CPU_ID_START=cpu_id_start CPU_ID=cpu_id RSEQ_CS_ADDR=rseq_cs FLAGS=flags",
  ],
  [
    "rseq",
    "RseqCs",
    "struct rseq_cs",
    "VERSION=version FLAGS=flags START_IP=start_ip POST_COMMIT_OFFSET=post_commit_offset ABORT_IP=abort_ip",
  ],
  [
    "seccomp",
    "SeccompData",
    "struct seccomp_data",
    "NR=nr ARCH=arch INSTRUCTION_POINTER=instruction_pointer ARGS=args",
  ],
  ["seccomp", "SeccompNotif", "struct seccomp_notif", "ID=id PID=pid FLAGS=flags DATA=data"],
  [
    "seccomp",
    "SeccompNotifResp",
    "struct seccomp_notif_resp",
    "ID=id VAL=val ERROR=error FLAGS=flags",
  ],
  [
    "seccomp",
    "SeccompNotifAddfd",
    "struct seccomp_notif_addfd",
    "ID=id FLAGS=flags SRCFD=srcfd NEWFD=newfd NEWFD_FLAGS=newfd_flags",
  ],
  ["filter", "SockFilter", "struct sock_filter", "CODE=code JT=jt JF=jf K=k"],
  ["filter", "SockFprog", "struct sock_fprog", "LEN=len FILTER_ADDR=filter"],
  ["inotify", "InotifyEvent", "struct inotify_event", "WD=wd MASK=mask COOKIE=cookie LEN=len"],
  [
    "sysinfo",
    "Sysinfo",
    "struct sysinfo",
    "UPTIME_SEC=uptime LOAD1=loads[0] LOAD5=loads[1] LOAD15=loads[2] TOTALRAM=totalram FREERAM=freeram SHAREDRAM=sharedram BUFFERRAM=bufferram TOTALSWAP=totalswap FREESWAP=freeswap PROCS=procs TOTALHIGH=totalhigh FREEHIGH=freehigh MEM_UNIT=mem_unit",
  ],
  [
    "utsname",
    "NewUtsname",
    "struct new_utsname",
    "SYSNAME=sysname NODENAME=nodename RELEASE=release VERSION=version MACHINE=machine DOMAINNAME=domainname",
  ],
  [
    "times",
    "Tms",
    "struct tms",
    "UTIME=tms_utime STIME=tms_stime CUTIME=tms_cutime CSTIME=tms_cstime",
  ],
  [
    "ptrace",
    "PtraceSyscallInfo",
    "struct ptrace_syscall_info",
    "OP=op ARCH=arch INSTRUCTION_POINTER=instruction_pointer STACK_POINTER=stack_pointer NR=entry.nr ARGS=entry.args RVAL=exit.rval IS_ERROR=exit.is_error",
  ],
  [
    "amd64/user",
    "UserRegs",
    "struct user_regs_struct",
    "R15=r15 R14=r14 R13=r13 R12=r12 RBP=rbp RBX=rbx R11=r11 R10=r10 R9=r9 R8=r8 RAX=rax RCX=rcx RDX=rdx RSI=rsi RDI=rdi ORIG_RAX=orig_rax RIP=rip CS=cs EFLAGS=eflags RSP=rsp SS=ss FS_BASE=fs_base GS_BASE=gs_base DS=ds ES=es FS=fs GS=gs",
  ],
  [
    "amd64/user",
    "UserFpregs",
    "struct user_fpregs_struct",
    "CWD=cwd SWD=swd FTW=ftw FOP=fop RIP=rip RDP=rdp MXCSR=mxcsr MXCR_MASK=mxcr_mask ST_SPACE=st_space XMM_SPACE=xmm_space",
  ],
  [
    "amd64/sigcontext",
    "Sigcontext",
    "struct sigcontext",
    "R8=r8 R9=r9 R10=r10 R11=r11 R12=r12 R13=r13 R14=r14 R15=r15 RDI=rdi RSI=rsi RBP=rbp RBX=rbx RDX=rdx RAX=rax RCX=rcx RSP=rsp RIP=rip EFLAGS=eflags CS=cs GS=gs FS=fs SS=ss ERR=err TRAPNO=trapno OLDMASK=oldmask CR2=cr2 FPSTATE_ADDR=fpstate",
  ],
  [
    "amd64/sigcontext",
    "Ucontext",
    "struct ucontext",
    "FLAGS=uc_flags LINK_ADDR=uc_link STACK=uc_stack MCONTEXT=uc_mcontext SIGMASK=uc_sigmask",
  ],
  [
    "amd64/sigcontext",
    "FpxSwBytes",
    "struct _fpx_sw_bytes",
    "MAGIC1=magic1 EXTENDED_SIZE=extended_size XFEATURES=xfeatures XSTATE_SIZE=xstate_size",
  ],
];

/** Constants that C casts to a pointer. */
const POINTERS = new Set(["SIG_DFL", "SIG_IGN", "SIG_ERR"]);

const ABI_URL = new URL("../platform/abi/", import.meta.url);
const PRELUDE = "#define _GNU_SOURCE 1\n#include <stddef.h>\nint printf(const char *, ...);\n";

/** Linux 6.1, Debian 12's: of before, structures and members may be missing. */
const OLDEST_WHOLE = 0x060100;
let haveOldHeaders = false;

const differences: string[] = [];
const skipped: string[] = []; // "module: NAME"
let constantCount = 0;
let fieldCount = 0;

/** One printf and what to do with the words it prints; `name` is what it needs to know. */
interface Probe {
  name: string;
  c: string;
  check(words: string[]): void;
}

function expect(what: string, ours: unknown, theirs: unknown): void {
  if (ours !== theirs) differences.push(`${what}: ${ours}, in C ${theirs}`);
}

function camelToConst(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
}

function constantProbe(module: string, name: string, value: number | string): Probe {
  const c = typeof value === "string"
    ? `printf("%s", ${name});`
    : `printf("%.0Lf", (long double)${POINTERS.has(name) ? "(long)" : ""}(${name}));`;
  return {
    name: `${module}: ${name}`,
    c,
    check(words) {
      constantCount++;
      const [word] = words;
      if (typeof value === "string") return expect(`${module}: ${name}`, value, word);
      // Older headers have some as a negative int.
      const theirs = Number(word);
      expect(`${module}: ${name}`, value, theirs + 2 ** 32 === value ? value : theirs);
    },
  };
}

/** Yields the probe of one struct and takes its exports out of `rest`. */
function structProbe(
  abi: Abi,
  rest: Map<string, number | string>,
  [module, name, ctype, fieldList, prefix = camelToConst(name)]: typeof STRUCTS[number],
): Probe {
  const fields = fieldList.split(" ").map((f) => f.split("=") as [string, string]);
  const members = new Map(fields);
  const get = abi[`get${name}`] as undefined | ((v: DataView, off: number) => Abi);
  const put = abi[`put${name}`] as undefined | ((...args: unknown[]) => void);
  const sizeBytes = abi[`${prefix}_SIZE`] as number;
  const keys = get?.length === 2
    ? Object.keys(get(new DataView(new ArrayBuffer(sizeBytes)), 0))
    : [];

  // C fills the fields that `get` reads with values of its own choice, then prints the bytes.
  const scalars = [...new Set(keys.map((k) => memberOf(k, members)))];
  let c = `{ static ${ctype} t; unsigned char *p = (void *)&t; printf("%d ", (int)sizeof t);`;
  for (const [, member] of fields) {
    c += ` printf("%d ", (int)__builtin_offsetof(${ctype}, ${member}));`;
  }
  scalars.forEach((member, i) => {
    const m = `t.${member}`;
    const type = `__typeof__(${m})`;
    c += ` ${m} = (${type})-1 < (${type})1 ? (${type})-${
      i + 2
    } : (${type})0x1f0f0e0d0c0b0aULL + ${i};`;
    c += ` printf("%.0Lf ", (long double)`;
    c += `__builtin_choose_expr(__builtin_classify_type(${m}) == 5, (long)${m}, ${m}));`;
  });
  c += ` for (unsigned i = 0; i < sizeof t; i++) printf("%02x", p[i]); }`;

  const what = `${module}: ${ctype}`;
  rest.delete(`${prefix}_SIZE`);
  for (const [field] of fields) rest.delete(`${prefix}_OFF_${field}`);
  return {
    name: what,
    c,
    check(words) {
      expect(`${what} size`, sizeBytes, Number(words.shift()));
      for (const [field, member] of fields) {
        fieldCount++;
        expect(`${what} ${member}`, abi[`${prefix}_OFF_${field}`], Number(words.shift()));
      }
      const values = new Map(scalars.map((member) => [member, BigInt(words.shift()!)]));
      const hex = words.shift()!;
      if (get === undefined || keys.length === 0) return;
      const bytes = Uint8Array.from(hex.match(/../g)!, (h) => parseInt(h, 16));
      const read = get(new DataView(bytes.buffer), 0);
      for (const key of keys) {
        let value = values.get(memberOf(key, members))!;
        if (!members.has(camelToConst(key))) {
          value = key.endsWith("Lo") ? value & 0xffffffffn : BigInt.asUintN(64, value) >> 32n;
        }
        expect(`get${name} ${key}`, read[key], Number(value));
      }
      if (put === undefined) return;
      const written = new Uint8Array(sizeBytes);
      const view = new DataView(written.buffer);
      if (put.length === 3) put(view, 0, read);
      else put(view, 0, ...Object.values(read));
      expect(`put${name}`, [...written].map((b) => b.toString(16).padStart(2, "0")).join(""), hex);
    },
  };
}

/** The C member behind a TypeScript field: `dataLo` and `dataHi` are halves of `data`. */
function memberOf(key: string, members: Map<string, string>): string {
  const field = camelToConst(key);
  return members.get(field) ?? members.get(field.replace(/_(LO|HI)$/, ""))!;
}

/** Runs the probes that this unit's headers can compile; returns the others. */
async function runUnit(dir: string, id: string, unit: string, probes: Probe[]): Promise<Probe[]> {
  const source = `${dir}/${id}.c`;
  const left: Probe[] = [];
  let now = probes;
  while (now.length > 0) {
    const head = PRELUDE + unit.split(" ").map((h) => `#include <${h}>\n`).join("");
    const firstLine = head.split("\n").length + 1;
    const body = now.map((p) => `${p.c} printf("\\n");\n`).join("");
    await Deno.writeTextFile(source, `${head}int main(void) {\n${body}return 0; }\n`);
    const gcc = await new Deno.Command("gcc", {
      args: ["-w", "-fmax-errors=0", "-o", `${dir}/${id}`, source],
      env: { LC_ALL: "C" },
    }).output();
    if (gcc.success) break;
    const stderr = new TextDecoder().decode(gcc.stderr);
    const bad = new Set<number>();
    for (const m of stderr.matchAll(/\.c:(\d+):/g)) bad.add(Number(m[1]) - firstLine);
    const good = now.filter((_, i) => !bad.has(i));
    if (good.length === now.length) throw new Error(`${id}: gcc failed\n${stderr}`);
    left.push(...now.filter((_, i) => bad.has(i)));
    now = good;
  }
  if (now.length === 0) return left;
  const run = await new Deno.Command(`${dir}/${id}`).output();
  if (!run.success) throw new Error(`${id}: exit status ${run.code}`);
  const lines = new TextDecoder().decode(run.stdout).split("\n");
  now.forEach((p, i) => p.check(lines[i].trim().split(" ")));
  return left;
}

async function checkModule(dir: string, module: string): Promise<void> {
  const abi: Abi = await import(new URL(`${module}.ts`, ABI_URL).href);
  const rest = new Map<string, number | string>();
  for (const [name, value] of Object.entries(abi)) {
    if (typeof value === "number" || typeof value === "string") rest.set(name, value);
  }
  const units = MODULES[module];
  if (units === undefined) {
    if (rest.size > 0) differences.push(`${module}: no header is listed for it in check_abi.ts`);
    return;
  }
  const structs = STRUCTS.filter((s) => s[0] === module).map((s) => structProbe(abi, rest, s));
  let probes = structs.concat([...rest].map(([name, value]) => constantProbe(module, name, value)));
  for (const [i, unit] of units.entries()) {
    probes = await runUnit(dir, `${module.replace("/", "_")}_${i}`, unit, probes);
  }
  for (const p of probes) {
    if (!structs.includes(p) || haveOldHeaders) skipped.push(p.name);
    else differences.push(`${p.name}: not in ${units.join(", ")}`);
  }
  checkNames(abi, "errnoName", /^E[A-Z0-9_]+$/, (n) => n);
  checkNames(abi, "signalName", /^SIG(?!RT|EV|STK(?!FLT))[A-Z0-9]+$/, (n) => n);
  checkNames(abi, "syscallName", /^SYS_/, (n) => n.slice(4));
}

/** A name function gives each constant's name, or that of another with the same value. */
function checkNames(abi: Abi, fn: string, pattern: RegExp, text: (name: string) => string): void {
  const nameOf = abi[fn] as undefined | ((n: number) => string);
  if (nameOf === undefined) return;
  const names = Object.entries(abi).filter(([n, v]) => pattern.test(n) && typeof v === "number");
  for (const [name, value] of names) {
    const given = nameOf(value as number);
    const known = names.some(([other, v]) => v === value && text(other) === given);
    if (!known) differences.push(`${fn}(${value}): ${given}, not ${text(name)}`);
  }
}

async function listModules(dir: URL, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    if (entry.isDirectory) {
      found.push(...await listModules(new URL(`${entry.name}/`, dir), `${prefix}${entry.name}/`));
    } else if (entry.name.endsWith(".ts") && !entry.name.endsWith("_test.ts")) {
      found.push(prefix + entry.name.slice(0, -3));
    }
  }
  return found.sort();
}

/** LINUX_VERSION_CODE of the headers. */
async function headerVersion(dir: string): Promise<number> {
  const source = `${dir}/version.c`;
  await Deno.writeTextFile(source, "#include <linux/version.h>\nLINUX_VERSION_CODE\n");
  const { stdout } = await new Deno.Command("gcc", { args: ["-E", "-P", source] }).output();
  return Number(new TextDecoder().decode(stdout));
}

async function main(): Promise<number> {
  const modules = await listModules(ABI_URL, "");
  for (const listed of Object.keys(MODULES)) {
    if (!modules.includes(listed)) differences.push(`${listed}.ts: listed, but not there`);
  }
  const dir = await Deno.makeTempDir({ prefix: "check_abi_" });
  try {
    haveOldHeaders = await headerVersion(dir) < OLDEST_WHOLE;
    const queue = modules.slice();
    const worker = async () => {
      for (let m = queue.shift(); m !== undefined; m = queue.shift()) await checkModule(dir, m);
    };
    await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, worker));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
  for (const [module, names] of Map.groupBy(skipped.sort(), (s) => s.split(": ")[0])) {
    console.log(`skipped  ${module}: ${names.map((s) => s.split(": ")[1]).join(" ")}`);
  }
  for (const line of differences.sort()) console.log(`differs  ${line}`);
  console.log(
    `check_abi: ${constantCount} constants, ${STRUCTS.length} structs with ${fieldCount} fields, ` +
      `${skipped.length} skipped, ${differences.length} different`,
  );
  return differences.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
