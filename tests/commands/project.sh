# gcc and make: a project of 20 files built by two jobs, run, changed, built again, with a library and a debugger's symbols.
cp -r "$FIXTURES/project" p; cd p || exit 1
make -s -j2 && ./app; touch part3.c; make -s -j2; ./app; make -s clean; ls | wc -l
cat >lib.c <<'EOF'
int twice(int x) { return 2 * x; }
EOF
cat >use.c <<'EOF'
#include <stdio.h>
#include <dlfcn.h>
int twice(int);
int main(void) { void *h = dlopen("./libtwice.so", RTLD_NOW); int (*f)(int) = dlsym(h, "twice"); printf("%d %d\n", twice(21), f(4)); return 0; }
EOF
gcc -shared -fPIC -o libtwice.so lib.c && gcc -o use use.c -L. -ltwice -Wl,-rpath,. && ./use
gcc -c lib.c && ar rcs libstatic.a lib.o && gcc -o use2 use.c libstatic.a && ./use2; nm lib.o | cut -c18-; size lib.o | wc -l
gcc -g -O2 -flto -o app2 *.c -Wl,--build-id=none 2>/dev/null || gcc -O2 -flto part*.c main.c -o app2; ./app2
echo 'int main(void) { return undeclared; }' >bad.c; gcc bad.c 2>&1 | grep -c error; echo $?
echo 'int f(void) { return 3 }' | gcc -fsyntax-only -x c - 2>&1 | head -1; g++ --version >/dev/null 2>&1 && echo 'int main() { try { throw 5; } catch (int x) { return x; } }' >x.cc && g++ -o x x.cc && ./x; echo $?
