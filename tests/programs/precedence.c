// Which error comes where a call has several reasons to fail: the order of the kernel's checks.
#include "check.h"
#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>

TEST(two_paths, "what is wrong with a second path comes after what the first leads to") {
  write_file("f", "x");
  OK(mkdir("d", 0755));
  FAILS(syscall(SYS_rename, "none/f", nowhere), ENOENT);
  FAILS(syscall(SYS_rename, "f", nowhere), EFAULT);
  FAILS(syscall(SYS_renameat, AT_FDCWD, "f/x", 999, "y"), ENOTDIR);
  FAILS(syscall(SYS_renameat, AT_FDCWD, "f", 999, "y"), EBADF);
  FAILS(syscall(SYS_renameat2, AT_FDCWD, nowhere, 999, "y", 8), EINVAL);
  FAILS(syscall(SYS_renameat2, AT_FDCWD, "none/f", AT_FDCWD, "", 1), ENOENT);
  FAILS(syscall(SYS_link, "none", nowhere), ENOENT);
  FAILS(syscall(SYS_linkat, AT_FDCWD, "f/x", 999, "y", 0), ENOTDIR);
  FAILS(syscall(SYS_symlink, "", nowhere), ENOENT);
}

TEST(flags_before_path, "flags and types that make no sense are refused before the path is read") {
  FAILS(syscall(SYS_mknod, nowhere, S_IFDIR, 0), EPERM);
  FAILS(syscall(SYS_mknod, "", S_IFLNK, 0), EINVAL);
  FAILS(syscall(SYS_mknodat, 999, "x", S_IFLNK, 0), EINVAL);
  FAILS(syscall(SYS_open, nowhere, O_TMPFILE, 0600), EINVAL);
  FAILS(syscall(SYS_open, "", O_CREAT | O_DIRECTORY, 0600), EINVAL);
  FAILS(syscall(SYS_open, nowhere, O_CREAT, 0600), EFAULT);
}

TEST(times_after_path, "utimensat finds its file before it judges the times") {
  struct timespec times[2] = {{0, 0}, {0, -1}};
  FAILS(utimensat(AT_FDCWD, "none", times, 0), ENOENT);
  write_file("f", "x");
  FAILS(utimensat(AT_FDCWD, "f", times, 0), EINVAL);
  int path_only = OK(open("f", O_PATH));
  FAILS(syscall(SYS_utimensat, path_only, NULL, times, 0), EBADF);
}

TEST(splice_offsets, "splice refuses an offset for a pipe before it reads one or asks for the access mode") {
  int a[2], b[2];
  OK(pipe(a));
  OK(pipe(b));
  int fd = OK(open("f", O_RDONLY | O_CREAT, 0644));
  loff_t offset = 0;
  FAILS(splice(a[0], &offset, fd, nowhere, 1, 0), ESPIPE);
  FAILS(splice(a[0], NULL, fd, nowhere, 1, 0), EFAULT);
  FAILS(splice(a[0], NULL, fd, &offset, 1, 0), EBADF);
  FAILS(splice(a[1], &offset, b[1], NULL, 1, 0), ESPIPE);
  FAILS(splice(a[1], NULL, b[1], NULL, 1, 0), EBADF);
  FAILS(splice(a[0], &offset, 999, NULL, 1, 0), EBADF);
}

TEST(vmsplice_nothing, "vmsplice of nothing asks for no pipe") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  struct iovec iov = {"x", 1};
  EQUAL(vmsplice(fd, &iov, 0, 0), 0);
  FAILS(vmsplice(fd, &iov, 1, 0), EBADF);
  FAILS(vmsplice(fd, &iov, 1025, 0), EINVAL);
}

TEST(lock_range, "a lock's range is judged before its type, its file's access mode and its pid") {
  int fd = OK(open("f", O_RDONLY | O_CREAT, 0644));
  struct flock lock = {.l_type = 9, .l_start = 10, .l_len = INT64_MAX};
  FAILS(fcntl(fd, F_SETLK, &lock), EOVERFLOW);
  lock.l_len = 1;
  FAILS(fcntl(fd, F_SETLK, &lock), EINVAL);
  lock.l_type = F_WRLCK;
  lock.l_pid = 1;
  FAILS(fcntl(fd, F_OFD_SETLK, &lock), EBADF);
  lock.l_type = F_RDLCK;
  FAILS(fcntl(fd, F_OFD_SETLK, &lock), EINVAL);
  lock = (struct flock){.l_type = F_RDLCK, .l_start = INT64_MAX, .l_len = -5};
  OK(fcntl(fd, F_SETLK, &lock));
  lock = (struct flock){.l_type = F_UNLCK, .l_start = INT64_MAX};
  OK(fcntl(fd, F_SETLK, &lock));
  lock = (struct flock){.l_type = F_RDLCK, .l_start = 4, .l_len = -5};
  FAILS(fcntl(fd, F_SETLK, &lock), EINVAL);
}

TEST(handle_size, "open_by_handle_at judges the handle's size before the descriptor and the caller") {
  struct {
    struct file_handle head;
    char bytes[128];
  } handle = {.head = {.handle_bytes = 0}};
  FAILS(open_by_handle_at(999, &handle.head, O_RDONLY), EINVAL);
  handle.head.handle_bytes = 8;
  FAILS(open_by_handle_at(999, &handle.head, O_RDONLY), EBADF);
  int path_only = OK(open(".", O_PATH));
  FAILS(open_by_handle_at(path_only, &handle.head, O_RDONLY), EBADF);
  if (geteuid() == 0) OK(setuid(1000));
  handle.head.handle_bytes = 0;
  FAILS(open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY), EINVAL);
  handle.head.handle_bytes = 8;
  FAILS(open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY), EPERM);
}

TEST(attribute_names, "an attribute's name is judged after the permission to use it") {
  write_file("f", "x");
  OK(symlink("f", "l"));
  FAILS(setxattr("f", "user.", "x", 1, 0), EINVAL);
  FAILS(removexattr("f", "user."), EINVAL);
  FAILS(lsetxattr("l", "user.", "x", 1, 0), EPERM);
  FAILS(setxattr("f", "plain", "x", 1, 0), EOPNOTSUPP);
  FAILS(setxattr("f", "security.capability", "01234567", 8, 0), EINVAL);
  if (geteuid() != 0) return;
  FAILS(setxattr("f", "trusted.", "x", 1, 0), EINVAL);
  OK(chmod("f", 0));
  OK(setuid(1000));
  FAILS(setxattr("f", "plain", "x", 1, 0), EACCES);
  FAILS(setxattr("f", "user.", "x", 1, 0), EACCES);
}

TEST(write_hints, "write hints are of the file's owner, and there are none of an open file") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  uint64_t hint = RWH_WRITE_LIFE_SHORT;
  OK(fcntl(fd, F_SET_RW_HINT, &hint));
  FAILS(fcntl(fd, F_GET_FILE_RW_HINT, &hint), EINVAL);
  FAILS(fcntl(fd, F_SET_FILE_RW_HINT, &hint), EINVAL);
  if (geteuid() != 0) return;
  OK(setuid(1000));
  FAILS(fcntl(fd, F_SET_RW_HINT, nowhere), EPERM);
}

TEST(whom_before_what, "a signal's number is judged once there is somebody to send it to") {
  FAILS(kill(99999999, -1), ESRCH);
  FAILS(kill(getpid(), -1), EINVAL);
  FAILS(kill(getpid(), 65), EINVAL);
  FAILS(syscall(SYS_tgkill, getpid(), 99999999, 65), ESRCH);
  FAILS(syscall(SYS_rt_tgsigqueueinfo, -1, -1, 65, nowhere), EFAULT);
  siginfo_t info = {.si_code = SI_QUEUE};
  FAILS(syscall(SYS_rt_tgsigqueueinfo, -1, getpid(), 65, &info), EINVAL);
}

TEST(timer_event, "timer_create reads its event before it judges the clock, and the event's signal with it") {
  timer_t timer;
  FAILS(syscall(SYS_timer_create, 99, nowhere, &timer), EFAULT);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_signo = 0};
  FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), EINVAL);
  FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC_RAW, &event, &timer), EOPNOTSUPP);
}

TEST(capabilities_of_nobody, "capget without a place for its answer asks for nobody") {
  unsigned header[2] = {0x20080522, 99999999};
  EQUAL(syscall(SYS_capget, header, NULL), 0);
  unsigned data[6];
  FAILS(syscall(SYS_capget, header, data), ESRCH);
}

TEST(out_of_band, "a socket must be connected before it is asked for what it does not have") {
  int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
  for (int i = 0; i < 2; i++) {
    int fd = OK(socket(AF_UNIX, types[i], 0));
    FAILS(send(fd, "x", 1, MSG_OOB | MSG_NOSIGNAL), ENOTCONN);
  }
  FAILS(setsockopt(999, SOL_SOCKET, SO_DEBUG, NULL, -1), EBADF);
  FAILS(setsockopt(0, SOL_SOCKET, SO_DEBUG, NULL, -1), ENOTSOCK);
}

TEST(limits_first, "prlimit reads the new limit before it looks for the process, and getrlimit needs a place") {
  FAILS(syscall(SYS_prlimit64, 99999999, RLIMIT_NOFILE, nowhere, NULL), EFAULT);
  FAILS(syscall(SYS_prlimit64, 99999999, RLIMIT_NOFILE, NULL, NULL), ESRCH);
  EQUAL(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, NULL), 0);
  FAILS(syscall(SYS_getrlimit, RLIMIT_NOFILE, NULL), EFAULT);
  FAILS(syscall(SYS_getrlimit, 99, NULL), EINVAL);
}

TEST(sendfile_offsets, "sendfile wants an offset for files that have one, and one that does not pass the end") {
  int p[2], fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  OK(pipe(p));
  off_t negative = -5, last = INT64_MAX;
  FAILS(sendfile(p[1], p[0], &negative, 1), ESPIPE);
  FAILS(sendfile(p[1], 999, &negative, 1), EBADF);
  FAILS(sendfile(p[1], fd, &negative, 1), EINVAL);
  FAILS(sendfile(999, fd, &last, 1), EINVAL);
  FAILS(sendfile(999, fd, NULL, 1), EBADF);
}

TEST(vectors_of_nothing, "a vector of nothing is read and written at once, where there is anything to read or write") {
  struct iovec iov = {NULL, 0};
  int event = OK(eventfd(0, 0)), dir = OK(open(".", O_RDONLY)), epoll = OK(epoll_create1(0));
  char byte;
  EQUAL(readv(event, &iov, 1), 0);
  FAILS(read(event, &byte, 0), EINVAL);
  EQUAL(readv(dir, &iov, 1), 0);
  FAILS(read(dir, &byte, 0), EISDIR);
  FAILS(readv(epoll, &iov, 1), EINVAL);
  FAILS(writev(epoll, &iov, 1), EINVAL);
  EQUAL(writev(OK(open("/dev/full", O_WRONLY)), &iov, 1), 0);
  EQUAL(preadv2(dir, &iov, 1, 0, 0x1000), 0);
}

TEST(umount_whom, "umount2 asks who may before it looks whether something is mounted") {
  OK(mkdir("d", 0755));
  if (geteuid() == 0) OK(setuid(1000));
  FAILS(umount2("none", 0), ENOENT);
  FAILS(umount2("d", 0), EPERM);
  FAILS(umount2("d", MNT_EXPIRE | MNT_DETACH), EPERM);
  FAILS(umount2("d", 0x100), EINVAL);
}

TEST(open_ways, "flags are judged before what the cache may answer, and a FIFO has no ioctls to be opened for") {
  struct open_how how = {.flags = O_CREAT | O_DIRECTORY, .mode = 0600, .resolve = RESOLVE_CACHED};
  FAILS(syscall(SYS_openat2, AT_FDCWD, "x", &how, sizeof how), EINVAL);
  how.flags = O_CREAT;
  FAILS(syscall(SYS_openat2, AT_FDCWD, "x", &how, sizeof how), EAGAIN);
  OK(mkfifo("p", 0666));
  FAILS(open("p", O_ACCMODE), EINVAL);
}

TEST(unable_files, "a file that cannot be read or written says so before it looks at the buffer") {
  int epoll = OK(epoll_create1(0)), timer = OK(timerfd_create(CLOCK_MONOTONIC, 0));
  char byte;
  FAILS(syscall(SYS_read, epoll, &byte, -1L), EINVAL);
  FAILS(syscall(SYS_write, timer, (void *)-1, 5), EINVAL);
  FAILS(syscall(SYS_readv, epoll, nowhere, 1), EINVAL);
  FAILS(syscall(SYS_writev, timer, nowhere, 5000), EINVAL);
  int event = OK(eventfd(0, 0));
  FAILS(syscall(SYS_read, event, &byte, -1L), EFAULT);
  FAILS(syscall(SYS_readv, event, nowhere, 1), EFAULT);
}

TEST(vector_ranges, "all lengths of a vector are judged before its addresses, and their number has 32 bits") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  struct iovec iov[2] = {{"abc", 3}, {(void *)-1, 0}};
  FAILS(writev(fd, iov, 2), EFAULT);
  EQUAL(syscall(SYS_writev, fd, iov, 0x100000001), 3);
  iov[1].iov_len = -1;
  FAILS(writev(fd, iov, 2), EINVAL);
  iov[0].iov_base = (void *)-1;
  FAILS(writev(fd, iov, 2), EINVAL);
  FAILS(writev(fd, iov, 1), EFAULT);
  iov[0].iov_base = "abc";
  iov[1] = (struct iovec){"abc", INT64_MAX};
  FAILS(writev(fd, iov, 2), EFAULT);
  iov[0] = (struct iovec){NULL, INT64_MAX & ~4095}; /* One alone is cut to what a call may move. */
  EQUAL(readv(fd, iov, 1), 0);
  FAILS(preadv2(fd, iov, 1, INT64_MAX, 0x1000), EINVAL);
}

TEST(other_memory, "process_vm_readv judges its own side first, and asks nobody for nothing") {
  char byte;
  struct iovec here = {&byte, 0}, there = {nowhere, 1};
  EQUAL(process_vm_readv(99999999, &here, 1, nowhere, 1, 0), 0);
  here.iov_len = 1;
  EQUAL(process_vm_readv(99999999, &here, 1, &there, 0, 0), 0);
  FAILS(process_vm_readv(99999999, &here, 1, nowhere, 1, 0), EFAULT);
  FAILS(process_vm_readv(99999999, &here, 1, &there, 1, 0), ESRCH);
  FAILS(syscall(SYS_process_vm_readv, 99999999, &here, 0x100000001, &there, 1, 0), ESRCH);
  FAILS(syscall(SYS_process_vm_readv, 99999999, &here, 1, &there, 0x100000001, 0), EINVAL);
  here.iov_base = (void *)-1;
  FAILS(process_vm_readv(99999999, &here, 1, &there, 1, 0), EFAULT);
}

TEST(socket_buffers, "a buffer is judged before the socket, a message's name before its vector") {
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  FAILS(sendto(999, (void *)-1, 5, 0, NULL, 0), EFAULT);
  FAILS(recvfrom(999, (void *)-1, 5, 0, NULL, NULL), EFAULT);
  FAILS(recvfrom(s[0], (void *)-1, 5, MSG_DONTWAIT, NULL, NULL), EFAULT);
  struct msghdr message = {.msg_name = nowhere, .msg_namelen = 5, .msg_iovlen = 5000};
  FAILS(sendmsg(s[0], &message, 0), EFAULT);
  FAILS(recvmsg(s[0], &message, 0), EMSGSIZE);
  message.msg_namelen = -1;
  FAILS(sendmsg(s[0], &message, 0), EINVAL);
  message.msg_name = NULL;
  FAILS(sendmsg(s[0], &message, 0), EMSGSIZE);
  message = (struct msghdr){.msg_control = NULL, .msg_controllen = 8};
  FAILS(sendmsg(s[0], &message, 0), EFAULT);
}

TEST(pair_place, "socketpair wants its place before it knows of the family") {
  FAILS(syscall(SYS_socketpair, -1, SOCK_STREAM, 0, NULL), EFAULT);
  FAILS(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 7, nowhere), EFAULT);
  FAILS(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM | 64, 0, NULL), EINVAL);
}

TEST(bound_twice, "a bound socket's second path is tried before it is refused") {
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  struct sockaddr_un name = {AF_UNIX, "a"};
  OK(bind(fd, (struct sockaddr *)&name, sizeof name));
  FAILS(bind(fd, (struct sockaddr *)&name, sizeof name), EADDRINUSE);
  strcpy(name.sun_path, "none/b");
  FAILS(bind(fd, (struct sockaddr *)&name, sizeof name), ENOENT);
  strcpy(name.sun_path, "b");
  FAILS(bind(fd, (struct sockaddr *)&name, sizeof name), EINVAL);
  FAILS(access("b", F_OK), ENOENT);
}

TEST(mount_type, "mount tells an unknown type from none, and move_mount looks at the target first") {
  SKIP_UNLESS(geteuid() == 0, "not root");
  OK(unshare(CLONE_NEWNS));
  OK(mkdir("d", 0755));
  FAILS(mount("x", "d", "", 0, NULL), ENODEV);
  FAILS(mount("x", "d", NULL, 0, NULL), EINVAL);
  FAILS(mount("x", "d", "tmpfs", 1ul << 31, NULL), EINVAL);
  write_file("f", "x");
  FAILS(syscall(SYS_move_mount, AT_FDCWD, "none", AT_FDCWD, "f/x", 0), ENOTDIR);
  FAILS(syscall(SYS_move_mount, AT_FDCWD, "f", AT_FDCWD, "d", 0), EINVAL);
}

TEST(page_ranges, "mincore judges its vector before the pages; the longest lengths are rounded to nothing") {
  char *pages = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED);
  OK(munmap(pages, 4096));
  FAILS(mincore(pages, 4096, (void *)-1), EFAULT);
  FAILS(mincore(pages, 4096, nowhere), ENOMEM);
  FAILS(mincore((void *)-4096, 4096, (void *)-1), ENOMEM);
  EQUAL(msync(pages, -1, MS_SYNC), 0);
  FAILS(msync(pages, -4096, MS_SYNC), ENOMEM);
}

TEST(protection_keys, "without protection keys a mapping's key can only be none") {
  char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  FAILS(syscall(SYS_pkey_alloc, 1, 0), EINVAL);
  FAILS(syscall(SYS_pkey_alloc, 0, 4), EINVAL);
  FAILS(syscall(SYS_pkey_free, 14), EINVAL);
  FAILS(syscall(SYS_pkey_mprotect, page + 1, 4096, PROT_READ, -1), EINVAL);
  FAILS(syscall(SYS_pkey_mprotect, page, 4096, PROT_READ, 14), EINVAL);
  EQUAL(syscall(SYS_pkey_mprotect, page, 0, PROT_READ, 14), 0);
  EQUAL(syscall(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_WRITE, -1), 0);
  page[0] = 1;
}

TEST(fsconfig_order, "fsconfig judges its arguments' shape, reads them, and then asks the file system") {
  SKIP_UNLESS(geteuid() == 0, "not root");
  OK(unshare(CLONE_NEWNS));
  int fs = OK((int)syscall(SYS_fsopen, "tmpfs", 0));
  FAILS(syscall(SYS_fsconfig, 999, 0, nowhere, "x", 0), EINVAL);
  FAILS(syscall(SYS_fsconfig, 999, 0, nowhere, NULL, 0), EBADF);
  FAILS(syscall(SYS_fsconfig, fs, 2, "size", nowhere, 1), EFAULT);
  FAILS(syscall(SYS_fsconfig, fs, 2, nowhere, "x", 0), EINVAL);
  FAILS(syscall(SYS_fsconfig, fs, 3, "size", nowhere, AT_FDCWD), EFAULT);
  FAILS(syscall(SYS_fsconfig, fs, 5, "size", NULL, 999), EBADF);
  FAILS(syscall(SYS_fsconfig, fs, 0, "", NULL, 0), EINVAL);
  FAILS(syscall(SYS_fsconfig, fs, 0, "source", NULL, 0), EINVAL);
  FAILS(syscall(SYS_fsconfig, fs, 0, "nosuch", NULL, 0), EINVAL);
  FAILS(syscall(SYS_fsconfig, fs, 1, "size", "x", 0), EINVAL);
  OK(syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0));
  FAILS(syscall(SYS_fsconfig, fs, 0, "ro", NULL, 0), EBUSY);
}

TEST(flags_before_memory, "unknown flags are refused before what an address leads to, and others after it") {
  FAILS(syscall(SYS_memfd_create, nowhere, 0x8000), EINVAL);
  FAILS(syscall(SYS_sendmsg, 999, nowhere, 0x80000000), EINVAL);
  FAILS(syscall(SYS_recvmsg, 999, nowhere, 0x80000000), EINVAL);
  FAILS(syscall(SYS_sendmmsg, 999, nowhere, 1, 0x80000000), EINVAL);
  FAILS(syscall(SYS_recvmmsg, 999, nowhere, 1, 0x80000000, nowhere), EINVAL);
  FAILS(syscall(SYS_execveat, 999, nowhere, NULL, NULL, 1), EFAULT);
  FAILS(syscall(SYS_execveat, 999, "", NULL, NULL, 1), ENOENT);
  FAILS(syscall(SYS_faccessat, 999, "", 0), ENOENT);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  FAILS(syscall(SYS_connect, fd, nowhere, 10), EFAULT);
  FAILS(syscall(SYS_bind, fd, nowhere, 10), ENOTSOCK);
}

TEST(nothing_to_send, "sendfile of nothing does not ask whether the file can be sent") {
  int null = OK(open("/dev/null", O_RDWR));
  EQUAL(sendfile(null, null, NULL, 0), 0);
  FAILS(sendfile(999, null, NULL, 0), EBADF);
}

TEST(same_stack, "sigaltstack with what is set already asks for no size") {
  stack_t none = {0}, now;
  OK(sigaltstack(&none, NULL));
  OK(sigaltstack(NULL, &now));
  EQUAL(now.ss_flags, SS_DISABLE);
  none.ss_sp = &now;
  FAILS(sigaltstack(&none, NULL), ENOMEM);
}
