# Every applet of busybox that packs or unpacks.
b=busybox
show() { echo "== $*"; "$@"; echo "status $?"; }
mkdir d
i=0
while [ $i -lt 20 ]; do
  echo "file number $i" >d/$i
  i=$((i + 1))
done
show $b tar cf a.tar d
show $b sh -c 'busybox tar tf a.tar | busybox sort'
show $b tar czf a.tgz d
show $b gzip -k a.tar
show $b sh -c 'busybox zcat a.tar.gz | busybox cmp - a.tar'
show $b gunzip -t a.tar.gz
show $b bzip2 -k a.tar
show $b sh -c 'busybox bzcat a.tar.bz2 | busybox cmp - a.tar'
show $b sh -c 'busybox bunzip2 -c a.tar.bz2 | busybox cmp - a.tar'
xz -k a.tar
show $b sh -c 'busybox xzcat a.tar.xz | busybox cmp - a.tar'
show $b unxz -t a.tar.xz
xz -k --format=lzma a.tar
show $b sh -c 'busybox lzcat a.tar.lzma | busybox cmp - a.tar'
show $b unlzma -t a.tar.lzma
show $b lzop a.tar
show $b sh -c 'busybox lzop -dc a.tar.lzo | busybox cmp - a.tar'
show $b sh -c 'busybox find d | busybox sort | busybox cpio -o -H newc | busybox cpio -t'
ar -rcD x.a d/1 d/2
show $b ar -t x.a
show $b ar -p x.a 2
show $b mkdir out
show $b tar xzf a.tgz -C out
show $b diff -r d out/d
show $b uuencode -m d/1 x
show $b sh -c 'busybox uuencode d/1 out.txt | busybox uudecode && cat out.txt'
python3 -m zipfile -c z.zip d/1 d/2
show $b unzip -l z.zip | $b tail -n 1
show $b unzip -p z.zip
exit 0
