// The poller thread: turns readiness of host descriptors into entries of a ring and a doorbell, so
// that the Sentry waits in one place. Watches are one-shot; the Sentry arms them again.
#define _GNU_SOURCE
#include "thread.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

void dv_ring(void);

#define RING 1024
static int epfd = -1;
static struct { uint32_t id, events; } ring[RING];
static uint32_t head, tail;  // head: written by the thread, tail: by the Sentry

static void *poller(void *unused) {
  (void)unused;
  struct epoll_event events[64];
  for (;;) {
    int n = epoll_wait(epfd, events, 64, -1);
    if (n < 0 && errno != EINTR) return 0;
    for (int i = 0; i < n; i++) {
      // The Sentry always drains the ring before it sleeps; one-shot watches bound it otherwise.
      while (head - __atomic_load_n(&tail, __ATOMIC_ACQUIRE) >= RING) usleep(1000);
      ring[head % RING].id = events[i].data.u32;
      ring[head % RING].events = events[i].events;
      __atomic_store_n(&head, head + 1, __ATOMIC_RELEASE);
    }
    if (n > 0) dv_ring();
  }
}

int dv_poller_start(void) {
  if (epfd >= 0) return 0;
  epfd = epoll_create1(EPOLL_CLOEXEC);
  if (epfd < 0) return -errno;
  return start_thread(poller);
}

// Arms (or re-arms) a one-shot watch. id is the caller's word for it.
int dv_poller_watch(int fd, uint32_t events, uint32_t id) {
  struct epoll_event e = {.events = events | EPOLLONESHOT, .data.u32 = id};
  if (epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &e) == 0) return 0;
  if (errno == ENOENT && epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e) == 0) return 0;
  return -errno;
}

int dv_poller_forget(int fd) { return epoll_ctl(epfd, EPOLL_CTL_DEL, fd, 0) < 0 ? -errno : 0; }

// Takes one event: out[0] id, out[1] events. Returns 1, or 0 when there is none.
int dv_poller_take(uint32_t *out) {
  if (tail == __atomic_load_n(&head, __ATOMIC_ACQUIRE)) return 0;
  out[0] = ring[tail % RING].id;
  out[1] = ring[tail % RING].events;
  __atomic_store_n(&tail, tail + 1, __ATOMIC_RELEASE);
  return 1;
}
