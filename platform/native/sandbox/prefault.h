#ifndef DVISOR_PREFAULT_H
#define DVISOR_PREFAULT_H

#include "start.h"

// The prelude's first page, which must be writable.
extern struct prelude prelude_header __attribute__((visibility("hidden")));

// Populates memory that `program`, the first of what the loader has loaded, is about to touch.
void prefault(const struct link_map *program, size_t heap_size);
#endif
