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

static inline long attach(int tree, int dirfd, const char *path) {
  return CALL(SYS_move_mount, tree, "", dirfd, path, MOVE_MOUNT_F_EMPTY_PATH);
}
#endif
