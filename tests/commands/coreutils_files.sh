# GNU coreutils on files.
export LC_ALL=C
umask 022
mkdir -pv a/b/c
install -Dm 640 /etc/passwd i/n/file && stat -c '%a %U %F' i/n/file
cp -rv /etc/alternatives alt >/dev/null; ls alt | wc -l; diff -r alt /etc/alternatives && echo same
ln -sv ../x a/b/link; ln -v i/n/file hard; stat -c %h hard
mv -v hard renamed; mv -n renamed a; ls -R a
touch -d '2001-02-03 04:05:06.789 UTC' stamp; stat -c '%y' stamp; ls -l --time-style=full-iso stamp | cut -d' ' -f6-
truncate -s 10M sparse; du -k sparse --apparent-size; stat -c '%s %b' sparse
cp --sparse=always sparse s2 && cmp sparse s2 && echo equal
dd if=/dev/urandom of=rnd bs=64K count=16 2>/dev/null; cp rnd r2; cmp rnd r2; dd if=rnd of=r2 bs=1000 skip=3 seek=5 count=7 conv=notrunc 2>&1 | head -2
chmod u=rwx,g=rx,o= stamp; stat -c %A stamp; chmod -R a+X a; chmod +t a; stat -c %A a
chown 12:34 stamp && stat -c '%u:%g' stamp; chown --reference=rnd stamp; stat -c '%u' stamp
realpath --relative-to=a/b i/n/file; readlink -f a/b/../b | sed 's,.*/a,a,'; basename -s .c x.c; dirname a/b
mktemp -d ./tmp.XXXX | wc -c; rm -r tmp.*; mkfifo p; (echo through >p &) ; cat p
rm -v renamed 2>&1; rm -rf a i alt; rmdir missing 2>&1; rm missing 2>&1
test -O rnd && test -s rnd && test rnd -nt stamp && echo tests
df --output=target / | tail -1; sync rnd; pathchk -p ok; unlink s2; shred -u r2; ls
mkdir many && cd many && seq 2000 | xargs touch && ls | wc -l && ls -U | wc -l && rm -f * && ls -A | wc -l
