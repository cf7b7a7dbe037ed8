/* Files for tests of what guest threads may know by themselves.
 *
 * With $FIXTURES set, a test works in a folder of its own below it, which has been filled beforehand: in dvisor
 * such files lie in an overlay's lower layer. Without, it fills its folder itself.
 */
#ifndef FIXTURES_H
#define FIXTURES_H
#include "check.h"

/* More often than it takes until a call is no longer the first of its site, and its path is known. */
#define TIMES 5

static void enter(const char *name) {
  const char *fixtures = getenv("FIXTURES");
  if (fixtures != NULL) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fixtures, name);
    OK(chdir(path));
    return;
  }
  write_file("file", "12345");
  OK(mkdir("dir", 0755));
  write_file("dir/inner", "inner");
  OK(symlink("file", "link"));
  OK(link("file", "hard"));
}
#endif
