# tar, gzip, xz, bzip2, zstd, cpio, with what tar keeps: links, modes, owners, times, holes.
umask 022
mkdir -p src/sub; seq 1000 >src/numbers; ln -s numbers src/link; ln src/numbers src/hard; mkfifo src/fifo; truncate -s 1M src/holes; chmod 4750 src/sub; touch -d '1999-12-31 23:59:59 UTC' src/sub
chown 7:8 src/hard 2>/dev/null
tar --sort=name -cf a.tar src; tar -tvf a.tar --full-time | awk '{ print $1, $2, $NF }'
mkdir out; tar -xpf a.tar -C out; (cd out && find . -printf '%p %y %m %n %l %u %g\n' | sort); stat -c %y out/src/sub; cmp src/holes out/src/holes; stat -c '%h' out/src/hard
for z in gzip bzip2 xz zstd; do command -v $z >/dev/null || continue; $z -kq a.tar; ls a.tar.*; $z -dc a.tar.* | cmp - a.tar && echo "$z ok"; rm a.tar.*; done
tar -czf - src | tar -tzf - | sort | head -3; tar --sort=name -cJf b.txz src; tar -xJf b.txz src/hard -O | md5sum
tar --delete -f a.tar src/holes; tar -tf a.tar | wc -l; tar -rf a.tar p 2>/dev/null; echo new >src/new; tar -uf a.tar src; tar -tf a.tar | grep -c .
tar -cf - --exclude='*.txt' --transform 's,src,dst,' src 2>/dev/null | tar -tf - | sort | tail -2; tar -xf missing.tar 2>&1 | head -1
printf 'x%.0s' $(seq 100000) | gzip -9 | gzip -l | tail -1 | awk '{ print $2 }' ; echo bad | gzip -d 2>&1; echo $?
xz -T2 -k src/numbers -c | xz -dc | cmp - src/numbers; zcat <(gzip -c src/numbers) 2>/dev/null | tail -1
