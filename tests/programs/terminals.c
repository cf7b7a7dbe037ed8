// Pseudo terminals: pty(7), termios(3), ioctl_tty(2), and job control.
#include "check.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>

static char *slave_name(int master) {
  static char name[64];
  EQUAL(ptsname_r(master, name, sizeof name), 0);
  return name;
}

static int open_master(void) {
  int master = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
  OK(grantpt(master));
  OK(unlockpt(master));
  return master;
}

static int open_slave(int master) { return OK(open(slave_name(master), O_RDWR | O_NOCTTY)); }

/* Raw; a read returns after `minimum` bytes, or `tenths` of a second (see termios(3)). */
static void raw_with(int fd, int minimum, int tenths) {
  struct termios t;
  OK(tcgetattr(fd, &t));
  cfmakeraw(&t);
  t.c_cc[VMIN] = minimum;
  t.c_cc[VTIME] = tenths;
  OK(tcsetattr(fd, TCSANOW, &t));
}

static void raw(int fd) { raw_with(fd, 1, 0); }

static int readable(int fd, int timeout_ms) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, timeout_ms) > 0 && (p.revents & POLLIN);
}

/* Reads what a master or slave shows until it has shown `want`. */
static void expect(int fd, const char *want) {
  char text[4096] = "";
  size_t length = 0;
  while (strstr(text, want) == NULL) {
    if (!readable(fd, 5000)) fail("\"%s\" is not shown, but \"%s\"", want, text);
    ssize_t n = read(fd, text + length, sizeof text - 1 - length);
    if (n <= 0) fail("\"%s\" is not shown, but \"%s\", then errno %d", want, text, errno);
    text[length += n] = '\0';
  }
}

static void type(int master, const char *text) { EQUAL(write(master, text, strlen(text)), strlen(text)); }

TEST(locked, "a slave cannot be opened before unlockpt") {
  int master = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY)), lock = -1;
  OK(ioctl(master, TIOCGPTLCK, &lock));
  EQUAL(lock, 1);
  FAILS(open(slave_name(master), O_RDWR | O_NOCTTY), EIO);
  OK(unlockpt(master));
  OK(open(slave_name(master), O_RDWR | O_NOCTTY));
}

TEST(names, "the slave's name, number and device agree") {
  int master = open_master(), number;
  int slave = open_slave(master);
  struct stat st;
  char name[64], expected[64];
  OK(ioctl(master, TIOCGPTN, &number));
  snprintf(expected, sizeof expected, "/dev/pts/%d", number);
  EQUAL(ttyname_r(slave, name, sizeof name), 0);
  EQUAL(strcmp(name, expected), 0);
  OK(fstat(slave, &st));
  CHECK(S_ISCHR(st.st_mode));
  EQUAL(st.st_rdev >> 8, 136);
  CHECK(isatty(slave) && isatty(master));
  close(slave);
  close(master);
  FAILS(access(expected, F_OK), ENOENT);
}

TEST(peer, "TIOCGPTPEER opens the slave without its name") {
  int master = open_master();
  int slave = OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  EQUAL(fcntl(slave, F_GETFD), FD_CLOEXEC);
  type(master, "x\n");
  expect(slave, "x\n");
}

TEST(line, "a line is edited, echoed and read as a whole") {
  int master = open_master();
  int slave = OK(open(slave_name(master), O_RDWR | O_NOCTTY | O_NONBLOCK));
  char b[64];
  type(master, "hellp\177o");
  FAILS(read(slave, b, sizeof b), EAGAIN);
  expect(master, "hellp\b \bo");
  type(master, "\r");
  EQUAL(read(slave, b, sizeof b), 6);
  EQUAL(memcmp(b, "hello\n", 6), 0);
  expect(master, "\r\n");
  type(master, "\004");
  EQUAL(read(slave, b, sizeof b), 0);
}

TEST(output, "a newline written to the slave is shown as carriage return and newline") {
  int master = open_master();
  int slave = open_slave(master);
  EQUAL(write(slave, "a\nb", 3), 3);
  expect(master, "a\r\nb");
}

TEST(minimum, "VMIN makes a read wait for that many bytes") {
  int master = open_master();
  int slave = open_slave(master);
  char b[16];
  raw_with(slave, 3, 0);
  IN_CHILD(reader, EQUAL(read(slave, b, sizeof b), 3));
  until_asleep(reader);
  type(master, "a");
  CHECK(!readable(slave, 0));
  type(master, "bc");
  join(reader);
}

TEST(time_alone, "VTIME without VMIN ends a read after that time") {
  int master = open_master();
  int slave = open_slave(master);
  char b[16];
  raw_with(slave, 0, 2);
  double begin = monotonic_ms();
  EQUAL(read(slave, b, sizeof b), 0);
  double took = monotonic_ms() - begin;
  CHECK(took >= 190 && took < 5000);
  raw_with(slave, 0, 0);
  EQUAL(read(slave, b, sizeof b), 0);
  type(master, "ab");
  expect(slave, "ab");
}

TEST(time_between, "VTIME with VMIN ends a read when no byte follows the last") {
  int master = open_master();
  int slave = open_slave(master);
  char b[16];
  raw_with(slave, 10, 2);
  IN_CHILD(reader, EQUAL(read(slave, b, sizeof b), 2));
  until_asleep(reader);
  type(master, "ab");
  join(reader);
}

TEST(winsize, "the window size is shared by both sides and its change signals the foreground") {
  int master = open_master(), got = 0;
  IN_CHILD(child, {
    sigset_t set;
    struct winsize w;
    OK(setsid());
    int slave = OK(open(slave_name(master), O_RDWR));
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    EQUAL(write(slave, "!", 1), 1);
    OK(sigwait(&set, &got));
    OK(ioctl(slave, TIOCGWINSZ, &w));
    EQUAL(w.ws_row, 33);
    EQUAL(w.ws_col, 77);
  });
  expect(master, "!");
  struct winsize size = {.ws_row = 33, .ws_col = 77};
  OK(ioctl(master, TIOCSWINSZ, &size));
  join(child);
}

TEST(controlling, "a session leader gets the terminal it opens, and /dev/tty is it") {
  int master = open_master();
  IN_CHILD(child, {
    EQUAL(tcgetpgrp(master), 0); /* The master tells the slave's, which is none. */
    OK(setsid());
    sigset_t set;
    int got;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    FAILS(open("/dev/tty", O_RDWR), ENXIO);
    OK(open(slave_name(master), O_RDWR | O_NOCTTY));
    FAILS(open("/dev/tty", O_RDWR), ENXIO);
    int slave = OK(open(slave_name(master), O_RDWR));
    int tty = OK(open("/dev/tty", O_RDWR));
    EQUAL(tcgetpgrp(tty), getpid());
    EQUAL(tcgetsid(slave), getpid());
    EQUAL(write(tty, "here", 4), 4);
    OK(ioctl(tty, TIOCNOTTY));
    OK(sigwait(&set, &got)); /* Sent to the foreground, which is the child itself. */
    FAILS(open("/dev/tty", O_RDWR), ENXIO);
    OK(ioctl(slave, TIOCSCTTY, 0));
    EQUAL(tcgetpgrp(slave), getpid());
  });
  expect(master, "here");
  join(child);
}

TEST(interrupt, "^C signals the foreground process group alone") {
  int master = open_master();
  IN_CHILD(child, {
    OK(setsid());
    int slave = OK(open(slave_name(master), O_RDWR));
    pid_t front = OK(fork());
    if (front == 0) {
      setpgid(0, 0);
      for (;;) pause();
    }
    setpgid(front, front);
    signal(SIGTTOU, SIG_IGN);
    OK(tcsetpgrp(slave, front));
    EQUAL(write(slave, "!", 1), 1);
    int status;
    EQUAL(waitpid(front, &status, 0), front);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
  });
  expect(master, "!");
  type(master, "\003");
  expect(master, "^C");
  join(child);
}

TEST(background_read, "a background process that reads is stopped by SIGTTIN") {
  int master = open_master();
  IN_CHILD(child, {
    OK(setsid());
    int slave = OK(open(slave_name(master), O_RDWR));
    char b[8];
    pid_t back = OK(fork());
    if (back == 0) {
      setpgid(0, 0);
      _exit(read(slave, b, sizeof b) == 2 ? 0 : FAILED);
    }
    setpgid(back, back);
    int status;
    EQUAL(waitpid(back, &status, WUNTRACED), back);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
    signal(SIGTTOU, SIG_IGN);
    OK(tcsetpgrp(slave, back));
    kill(-back, SIGCONT);
    EQUAL(write(slave, "!", 1), 1);
    join(back);
  });
  expect(master, "!");
  type(master, "x\n");
  join(child);
}

TEST(background_ignored, "a background read fails with EIO when SIGTTIN is ignored") {
  int master = open_master();
  IN_CHILD(child, {
    OK(setsid());
    int slave = OK(open(slave_name(master), O_RDWR));
    char b[8];
    IN_CHILD(back, {
      setpgid(0, 0);
      signal(SIGTTIN, SIG_IGN);
      FAILS(read(slave, b, sizeof b), EIO);
    });
    join(back);
  });
  join(child);
}

TEST(background_write, "a background process may write, but not with TOSTOP") {
  int master = open_master();
  IN_CHILD(child, {
    OK(setsid());
    int slave = OK(open(slave_name(master), O_RDWR));
    struct termios t;
    IN_CHILD(writer, {
      setpgid(0, 0);
      EQUAL(write(slave, "one", 3), 3);
    });
    join(writer);
    OK(tcgetattr(slave, &t));
    t.c_lflag |= TOSTOP;
    OK(tcsetattr(slave, TCSANOW, &t));
    pid_t back = OK(fork());
    if (back == 0) {
      setpgid(0, 0);
      _exit(write(slave, "two", 3) == 3 ? 0 : FAILED);
    }
    int status;
    EQUAL(waitpid(back, &status, WUNTRACED), back);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
    kill(back, SIGKILL);
    waitpid(back, &status, 0);
  });
  expect(master, "one");
  join(child);
}

TEST(hangup, "closing the master hangs the session up and ends the slave") {
  int master = open_master(), p[2];
  OK(pipe(p));
  IN_CHILD(child, {
    sigset_t set;
    int got;
    char b[8];
    close(p[0]);
    char name[64];
    strcpy(name, slave_name(master));
    close(master);
    OK(setsid());
    int slave = OK(open(name, O_RDWR));
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    EQUAL(write(p[1], "!", 1), 1);
    OK(sigwait(&set, &got));
    EQUAL(read(slave, b, sizeof b), 0);
    FAILS(write(slave, "x", 1), EIO);
    FAILS(tcgetpgrp(slave), EIO);
    struct pollfd pf = {.fd = slave, .events = POLLIN | POLLOUT};
    EQUAL(poll(&pf, 1, 0), 1);
    CHECK((pf.revents & POLLHUP) != 0);
    FAILS(open("/dev/tty", O_RDWR), ENXIO);
  });
  char b;
  close(p[1]);
  EQUAL(read(p[0], &b, 1), 1);
  close(master);
  join(child);
}

TEST(blocked_hangup, "closing the master ends a blocked read of the slave with EIO") {
  int master = open_master();
  char name[64];
  strcpy(name, slave_name(master));
  IN_CHILD(child, {
    char b[8];
    int slave = OK(open(name, O_RDWR | O_NOCTTY));
    close(master);
    FAILS(read(slave, b, sizeof b), EIO);
  });
  until_asleep(child);
  usleep(20000); /* It may have slept in open first. */
  close(master);
  join(child);
}

TEST(slave_closed, "the master reads EIO when the last slave is closed, after what was written") {
  int master = open_master();
  int slave = open_slave(master);
  char b[8];
  EQUAL(write(slave, "end", 3), 3);
  close(slave);
  expect(master, "end");
  FAILS(read(master, b, sizeof b), EIO);
  struct pollfd p = {.fd = master, .events = POLLIN};
  EQUAL(poll(&p, 1, 0), 1);
  CHECK((p.revents & POLLHUP) != 0);
  slave = OK(open(slave_name(master), O_RDWR | O_NOCTTY));
  EQUAL(poll(&p, 1, 0), 0);
}

TEST(packet, "packet mode tells of flushes and marks data") {
  int master = open_master(), on = 1;
  int slave = open_slave(master);
  char b[16];
  OK(ioctl(master, TIOCPKT, &on));
  EQUAL(write(slave, "hi", 2), 2);
  CHECK(readable(master, 5000));
  EQUAL(read(master, b, sizeof b), 3);
  EQUAL(b[0], TIOCPKT_DATA);
  EQUAL(memcmp(b + 1, "hi", 2), 0);
  OK(tcflush(slave, TCIFLUSH));
  struct pollfd p = {.fd = master, .events = POLLIN | POLLPRI};
  EQUAL(poll(&p, 1, 5000), 1);
  CHECK((p.revents & POLLPRI) != 0);
  EQUAL(read(master, b, sizeof b), 1);
  EQUAL(b[0] & TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHREAD);
}

TEST(injected, "TIOCSTI types a byte into one's own terminal") {
  int master = open_master();
  IN_CHILD(child, {
    OK(setsid());
    int slave = OK(open(slave_name(master), O_RDWR));
    char b[8];
    if (ioctl(slave, TIOCSTI, "z") == 0) {
      OK(ioctl(slave, TIOCSTI, "\n"));
      EQUAL(read(slave, b, sizeof b), 2);
      EQUAL(b[0], 'z');
    } else EQUAL(errno, EIO); /* A kernel may be set to refuse it. */
  });
  join(child);
}

TEST(queues, "FIONREAD counts whole lines, tcflush drops them") {
  int master = open_master(), n = -1;
  int slave = open_slave(master);
  type(master, "one\ntwo");
  CHECK(readable(slave, 5000));
  OK(ioctl(slave, FIONREAD, &n));
  EQUAL(n, 4);
  OK(ioctl(slave, TIOCOUTQ, &n));
  EQUAL(n, 0);
  OK(tcflush(slave, TCIFLUSH));
  OK(ioctl(slave, FIONREAD, &n));
  EQUAL(n, 0);
  CHECK(!readable(slave, 0));
}

TEST(flow, "tcflow stops output and starts it again") {
  int master = open_master();
  int slave = OK(open(slave_name(master), O_RDWR | O_NOCTTY | O_NONBLOCK));
  OK(tcflow(slave, TCOOFF));
  FAILS(write(slave, "x", 1), EAGAIN);
  OK(tcflow(slave, TCOON));
  EQUAL(write(slave, "y", 1), 1);
  expect(master, "y");
}

TEST(flow_character, "tcflow sends ^S and ^Q to the other side, also after a ^S of its own") {
  int master = open_master(), slave = open_slave(master);
  type(master, "\x13");
  usleep(20000); /* Until the line discipline has it. */
  OK(tcflow(slave, TCION));
  expect(master, "\x11");
  OK(tcflow(slave, TCOON)); /* It undoes TCOOFF alone. */
  EQUAL(write(master, "\x11", 1), 1);
  usleep(20000);
  OK(tcflow(slave, TCOOFF));
  OK(tcflow(slave, TCIOFF));
  EQUAL(readable(master, 50), 0);
  OK(tcflow(slave, TCOON));
  OK(tcflow(slave, TCIOFF));
  expect(master, "\x13");
}

TEST(flow_by_character, "what ^S stopped tcflow does not start") {
  int master = open_master(), slave = open_slave(master);
  OK(fcntl(slave, F_SETFL, O_NONBLOCK));
  type(master, "\x13");
  usleep(20000);
  OK(tcflow(slave, TCOON));
  FAILS(write(slave, "x", 1), EAGAIN);
  type(master, "\x11");
  usleep(20000);
  EQUAL(write(slave, "x", 1), 1);
}

TEST(flush_too_late, "tcflush takes nothing back that the other side has") {
  int master = open_master(), slave = open_slave(master);
  EQUAL(write(slave, "text", 4), 4);
  CHECK(readable(master, 1000));
  OK(tcflush(slave, TCIOFLUSH));
  expect(master, "text");
}

TEST(external, "with EXTPROC what comes is read at once, lines or not") {
  int master = open_master(), slave = open_slave(master);
  OK(fcntl(slave, F_SETFL, O_NONBLOCK));
  struct termios t;
  OK(tcgetattr(slave, &t));
  t.c_lflag |= EXTPROC;
  t.c_cc[VMIN] = 0;
  OK(tcsetattr(slave, TCSANOW, &t));
  char text[8];
  FAILS(read(slave, text, sizeof text), EAGAIN);
  type(master, "ab");
  CHECK(readable(slave, 1000));
  EQUAL(read(slave, text, sizeof text), 2);
}

TEST(full, "a writer of the slave blocks while nobody reads the master") {
  int master = open_master();
  int slave = open_slave(master);
  raw(slave);
  static char block[100000];
  memset(block, 'x', sizeof block);
  IN_CHILD(writer, EQUAL(write(slave, block, sizeof block), sizeof block));
  until_asleep(writer);
  size_t total = 0;
  while (total < sizeof block) {
    CHECK(readable(master, 5000));
    total += OK(read(master, block, sizeof block));
  }
  EQUAL(total, sizeof block);
  join(writer);
}

TEST(exclusive, "TIOCEXCL keeps others out") {
  int master = open_master();
  int slave = open_slave(master);
  SKIP_UNLESS(geteuid() == 0, "needs root, to become an ordinary user");
  OK(ioctl(slave, TIOCEXCL));
  OK(fchmod(slave, 0666));
  IN_CHILD(child, {
    OK(setgid(12345));
    OK(setuid(12345));
    FAILS(open(slave_name(master), O_RDWR | O_NOCTTY), EBUSY);
  });
  join(child);
  OK(ioctl(slave, TIOCNXCL));
}

TEST(attributes, "attributes survive all three layouts") {
  int master = open_master();
  int slave = open_slave(master);
  struct termios t;
  OK(tcgetattr(slave, &t));
  EQUAL(cfgetospeed(&t), B38400);
  EQUAL(t.c_iflag, ICRNL | IXON);
  EQUAL(t.c_oflag, OPOST | ONLCR);
  EQUAL(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
  EQUAL(t.c_cc[VINTR], 3);
  cfsetspeed(&t, B9600);
  t.c_lflag &= ~ECHO;
  OK(tcsetattr(slave, TCSADRAIN, &t));
  OK(tcgetattr(master, &t)); /* The master shows the slave's. */
  EQUAL(t.c_lflag & ECHO, 0);
  EQUAL(cfgetospeed(&t), B9600);
  FAILS(ioctl(slave, TCGETS, nowhere), EFAULT);
  int discipline = -1;
  OK(ioctl(slave, TIOCGETD, &discipline));
  EQUAL(discipline, 0);
}

TEST(locked_attributes, "TIOCSLCKTRMIOS keeps attributes from being changed") {
  SKIP_UNLESS(geteuid() == 0, "needs root, to lock attributes");
  int master = open_master();
  int slave = open_slave(master);
  struct termios was, t, locks;
  OK(tcgetattr(slave, &was));
  OK(ioctl(slave, TIOCGLCKTRMIOS, &locks));
  EQUAL(locks.c_lflag, 0);
  locks.c_lflag = ECHO;
  locks.c_oflag = OPOST;
  locks.c_cc[VINTR] = 1;
  FAILS(ioctl(slave, TIOCSLCKTRMIOS, nowhere), EFAULT);
  OK(ioctl(slave, TIOCSLCKTRMIOS, &locks));
  t = was;
  t.c_lflag &= ~(ECHO | ICANON);
  t.c_oflag = 0;
  t.c_cc[VINTR] = 1;
  t.c_cc[VQUIT] = 2;
  OK(tcsetattr(slave, TCSANOW, &t));
  OK(tcgetattr(slave, &t));
  EQUAL(t.c_lflag, was.c_lflag & ~ICANON);
  EQUAL(t.c_oflag, OPOST);
  EQUAL(t.c_cc[VINTR], was.c_cc[VINTR]);
  EQUAL(t.c_cc[VQUIT], 2);
  OK(ioctl(master, TIOCGLCKTRMIOS, &locks)); /* The master shows the slave's. */
  EQUAL(locks.c_lflag, ECHO);
  IN_CHILD(child, {
    OK(setuid(12345));
    OK(ioctl(slave, TIOCGLCKTRMIOS, &locks));
    FAILS(ioctl(slave, TIOCSLCKTRMIOS, &locks), EPERM);
  });
  join(child);
}

TEST(software_carrier, "TIOCSSOFTCAR sets CLOCAL") {
  int slave = open_slave(open_master()), on = -1;
  struct termios t;
  OK(ioctl(slave, TIOCGSOFTCAR, &on));
  EQUAL(on, 0);
  for (int want = 1; want >= 0; want--) {
    OK(ioctl(slave, TIOCSSOFTCAR, &want));
    OK(tcgetattr(slave, &t));
    EQUAL(t.c_cflag & CLOCAL, want ? CLOCAL : 0);
    OK(ioctl(slave, TIOCGSOFTCAR, &on));
    EQUAL(on, want);
  }
  FAILS(ioctl(slave, TIOCSSOFTCAR, nowhere), EFAULT);
}

TEST(no_terminal, "terminal requests on other files fail with ENOTTY") {
  struct termios t;
  int fd = OK(open("/dev/null", O_RDWR)), p[2];
  OK(pipe(p));
  FAILS(tcgetattr(fd, &t), ENOTTY);
  FAILS(tcgetattr(p[0], &t), ENOTTY);
  write_file("f", "x");
  FAILS(tcgetattr(OK(open("f", O_RDONLY)), &t), ENOTTY);
  FAILS(lseek(open_master(), 0, SEEK_CUR), ESPIPE);
}

TEST(forkpty_, "forkpty gives a shell its terminal") {
  int master;
  pid_t child = OK(forkpty(&master, NULL, NULL, NULL));
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", "read x; echo got $x; tty -s && exit 5", NULL);
    _exit(127);
  }
  type(master, "word\n");
  expect(master, "got word\r\n");
  int status;
  EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  EQUAL(WEXITSTATUS(status), 5);
}

TEST(faulting_write, "a write to a terminal that faults writes nothing of what it would have copied at once") {
  int master = open_master(), slave = open_slave(master);
  char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  OK(munmap(page + 4096, 4096));
  memcpy(page + 4088, "12345678", 8);
  FAILS(write(slave, page + 4088, 15), EFAULT);
  FAILS(write(master, page + 4088, 15), EFAULT);
  EQUAL(write(slave, "x", 1), 1);
  expect(master, "x");
}

TEST(flush_master, "tcflush of a master drops what the slave wrote, and nothing that the slave has") {
  int master = open_master(), slave = open_slave(master);
  char text[64];
  type(master, "typed\n");
  CHECK(readable(slave, 5000));
  OK(fcntl(master, F_SETFL, O_NONBLOCK));
  EQUAL(write(slave, "shown", 5), 5);
  expect(master, "typed\r\nshown");
  EQUAL(write(slave, "dropped", 7), 7);
  CHECK(readable(master, 5000));
  OK(tcflush(master, TCIFLUSH));
  FAILS(read(master, text, sizeof text), EAGAIN);
  OK(tcflush(master, TCOFLUSH));
  EQUAL(read(slave, text, sizeof text), 6);
  FAILS(tcflush(master, 9), EINVAL);
}

/* In a session of its own: whether the caller has a controlling terminal. */
static int has_terminal(void) {
  int fd = open("/dev/tty", O_RDWR);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

TEST(own_terminal, "a process that gives its terminal up, or was there before, has none; its session keeps it") {
  IN_CHILD(leader, {
    OK(setsid());
    int master = open_master(), slave = open_slave(master), go[2];
    char byte;
    OK(pipe(go));
    IN_CHILD(early, {
      EQUAL(read(go[0], &byte, 1), 1);
      EQUAL(has_terminal(), 0);
      FAILS(tcgetpgrp(slave), ENOTTY);
    });
    OK(ioctl(slave, TIOCSCTTY, 0));
    OK(ioctl(master, TIOCSCTTY, 0));
    EQUAL(write(go[1], "x", 1), 1);
    join(early);
    IN_CHILD(renouncing, {
      EQUAL(has_terminal(), 1);
      OK(ioctl(slave, TIOCNOTTY));
      EQUAL(has_terminal(), 0);
      FAILS(ioctl(slave, TIOCNOTTY), ENOTTY);
      FAILS(tcgetsid(slave), ENOTTY);
      IN_CHILD(child, { EQUAL(has_terminal(), 0); });
      join(child);
    });
    join(renouncing);
    EQUAL(has_terminal(), 1);
    EQUAL(tcgetsid(slave), getpid());
  });
  join(leader);
}

TEST(no_peer, "a slave has no peer to give") {
  int slave = open_slave(open_master());
  FAILS(ioctl(slave, TIOCGPTPEER, O_RDWR | O_NOCTTY), EIO);
}

TEST(character_size, "a terminal keeps eight bits without parity, and receives, whatever is asked for") {
  int master = open_master(), slave = open_slave(master);
  struct termios t;
  OK(tcgetattr(slave, &t));
  t.c_cflag = (t.c_cflag & ~(CSIZE | CREAD)) | CS7 | PARENB | PARODD | CSTOPB;
  OK(ioctl(slave, TCSETS, &t));
  OK(tcgetattr(slave, &t));
  EQUAL(t.c_cflag & (CSIZE | CREAD | PARENB | PARODD | CSTOPB), CS8 | CREAD | PARODD | CSTOPB);
}

TEST(termio_padding, "TCGETA fills the padding with zero") {
  int slave = open_slave(open_master());
  struct termios t;
  struct termio old;
  OK(ioctl(slave, TCGETS, &t));
  memset(&old, 0xff, sizeof old);
  OK(ioctl(slave, TCGETA, &old));
  EQUAL(((unsigned char *)&old)[sizeof old - 1], 0);
}

TEST(master_flow, "tcflow of the master sends to the slave, or holds what is written") {
  int master = open_master(), slave = open_slave(master);
  struct termios t;
  char text[8];
  OK(tcgetattr(slave, &t));
  cfmakeraw(&t);
  OK(tcsetattr(slave, TCSANOW, &t));
  OK(tcflow(master, TCIOFF));
  OK(tcflow(master, TCION));
  EQUAL(read(slave, text, 1), 1);
  EQUAL(text[0], 'S' - '@');
  EQUAL(read(slave, text, 1), 1);
  EQUAL(text[0], 'Q' - '@');
  OK(fcntl(master, F_SETFL, O_NONBLOCK));
  OK(tcflow(master, TCOOFF));
  struct pollfd p = {master, POLLOUT, 0};
  EQUAL(poll(&p, 1, 0), 0);
  FAILS(write(master, "x", 1), EAGAIN);
  EQUAL(write(slave, "y", 1), 1);
  OK(tcflow(master, TCOON));
  EQUAL(poll(&p, 1, 0), 1);
  EQUAL(write(master, "x", 1), 1);
  EQUAL(read(slave, text, 1), 1);
}

TEST(master_input, "TIOCSTI of the master gives it a byte to read") {
  int master = open_master(), slave = open_slave(master);
  (void)slave;
  char c = 'z';
  SKIP_UNLESS(ioctl(master, TIOCSTI, &c) == 0 || (errno != EPERM && errno != EIO), "not privileged");
  c = 0;
  EQUAL(read(master, &c, 1), 1);
  EQUAL(c, 'z');
}
