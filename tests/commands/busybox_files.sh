# Every applet of busybox that works on files and folders.
b=busybox
show() { echo "== $*"; "$@"; echo "status $?"; }
umask 022
show $b mkdir -p d/e d/f
show $b touch -d '2020-01-02 03:04:05' d/file
show $b cp -a d copy
show $b mv copy moved
show $b ln -s file d/link
show $b ln d/file d/hard
show $b ls -1 d
show $b stat -c '%n %h %a %F' d/file d/link d
show $b readlink d/link
show $b realpath -- . | $b wc -l
show $b chmod 640 d/file
show $b chown 0:0 d/file
show $b chgrp 0 d/file
show $b ls -ln --full-time d/file
show $b find d -type f
show $b find d -name 'l*' -exec $b basename {} \;
show $b test -e d/hard
show $b [ -d d/hard ]
show $b [[ -L d/link ]]
show $b dd if=/dev/zero of=zeros bs=1000 count=3 conv=notrunc 2>/dev/null
show $b truncate -s 5000 zeros
show $b fallocate -l 8192 zeros
show $b du -a d | $b wc -l
show $b wc -c zeros
show $b shred -n 1 -u zeros
show $b mkfifo fifo
show $b stat -c %F fifo
show $b mknod pipe p
show $b mktemp -u t.XXXXXX | $b wc -c
show $b unlink d/hard
show $b link d/file d/again
show $b sync
show $b rm -r moved
show $b rmdir d/e
show $b which sh
show $b run-parts --test d
show $b df . | $b wc -l
show $b du -s -k d >/dev/null
show $b chroot / $b echo rooted
show $b pwd -P | $b wc -l
