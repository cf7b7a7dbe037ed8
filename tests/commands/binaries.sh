# Kinds of executables: static, dynamic, PIE or not, glibc and musl, huge, scripts, and broken ones.
cat >h.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
static int data = 7, zero[1000];
__attribute__((constructor)) static void first(void) { puts("constructor"); }
int main(int argc, char **argv) { printf("%s %d %d %s\n", argv[argc - 1], data, zero[999], getenv("V") ? "V" : "-"); return 4; }
EOF
for flags in "" "-no-pie" "-static" "-static-pie" "-static -no-pie" "-static-pie -z now" "-z norelro" "-Wl,-z,execstack"; do
  gcc -o h h.c $flags 2>/dev/null || continue; V=1 ./h "gcc $flags"; echo $?
done
for flags in "" "-static" "-no-pie" "-static -no-pie"; do
  musl-gcc -o h h.c $flags 2>/dev/null || continue; ./h "musl $flags"; echo $?
done
"$FIXTURES/huge" end; echo $?
strip h; ./h stripped; echo $?
printf '#!/bin/sh\necho script "$0" "$@"\n' >s; chmod +x s; ./s a 'b c'; printf '#!%s/s with one argument\n' "$PWD" >s2; chmod +x s2; ./s2 x 2>&1; echo $?
printf '#! /usr/bin/env -S python3 -E\nimport sys; print(sys.flags.ignore_environment, sys.argv[1:])\n' >s3; chmod +x s3; ./s3 q
printf '#!/usr/bin/awk -f\nBEGIN { print "awk", ARGC }\n' >s4; chmod +x s4; ./s4 1 2; printf 'echo no interpreter line\n' >s5; chmod +x s5; sh -c ./s5
printf '#!/no/such\n' >s6; chmod +x s6; ./s6 2>/dev/null; echo $?; printf '#!./s7\n' >s7; chmod +x s7; ./s7 2>/dev/null; echo $?
head -c 100 h >t1; head -c 3000 h >t2; printf '\177ELF' >t3; : >t4; chmod +x t?; for t in t1 t3 t4; do ./$t 2>/dev/null; echo $?; done
/lib64/ld-linux-x86-64.so.2 /bin/echo by the loader; LD_PRELOAD=/no/lib.so /bin/echo x 2>/dev/null; ldd /bin/true | wc -l; LD_SHOW_AUXV=1 /bin/true | grep -c AT_; cp /bin/true t; chmod -x t; ./t 2>/dev/null; echo $?
