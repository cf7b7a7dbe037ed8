// Threads of our own, which take no signal: those are the waiting thread's.
#ifndef DVISOR_THREAD_H
#define DVISOR_THREAD_H

#include <pthread.h>
#include <signal.h>

#define THREAD_STACK (64 << 10)

// Starts `body`, for good. Returns 0 or -errno.
static inline int start_thread(void *(*body)(void *)) {
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  pthread_t thread;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, THREAD_STACK);
  int err = pthread_create(&thread, &attr, body, 0);
  pthread_sigmask(SIG_SETMASK, &old, 0);
  return -err;
}
#endif
