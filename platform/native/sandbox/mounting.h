// The mount API as both halves of a sandbox's start use it (start.c, ../host/spawn.c): raw calls.
#ifndef DVISOR_MOUNTING_H
#define DVISOR_MOUNTING_H

#include "raw.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>

#define UMOUNT_DETACH 2
#define EMPTY_PATH 0x1000

static inline long restrict_mount(int dirfd, const char *path, unsigned flags, uint64_t attributes) {
  struct mount_attr attr = {.attr_set = attributes};
  return CALL(SYS_mount_setattr, dirfd, path, flags, &attr, sizeof attr);
}

// A clone of the mount at `path`, not attached anywhere yet.
static inline long clone_mount(int dirfd, const char *path, unsigned flags) {
  return CALL(SYS_open_tree, dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

// A file system of files in memory, without limits of its own, that is attached nowhere: its root.
static inline long mount_memory(void) {
  long fs = CALL(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), err = fs;
  static const char options[][2][10] = {{"size", "0"}, {"nr_inodes", "0"}, {"mode", "0700"}};
  for (unsigned i = 0; i < sizeof options / sizeof *options && err >= 0; i++)
    err = CALL(SYS_fsconfig, fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0);
  if (err >= 0) err = CALL(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
  if (err >= 0) err = CALL(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (fs >= 0) CALL(SYS_close, fs);
  return err;
}

static inline long attach(int tree, int dirfd, const char *path) {
  return CALL(SYS_move_mount, tree, "", dirfd, path, MOVE_MOUNT_F_EMPTY_PATH);
}
#endif
