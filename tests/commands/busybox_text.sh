# Every applet of busybox that turns text or bytes into others.
b=busybox
show() { echo "== $*"; "$@"; echo "status $?"; }
printf 'pear\napple\nfig\napple\n' >a
printf 'pear\nfig\nplum\n' >b
printf 'one two three\nfour five six\n' >words
printf 'a\tb\r\nc\r\n' >dos
show $b sort a
show $b sort -ru a
show $b uniq -c a
show $b wc a words
show $b head -n 2 a
show $b tail -n 1 a
show $b tac a
show $b rev words
show $b nl a
show $b cut -d' ' -f2 words
show $b paste a b
show $b tr a-z A-Z <a
show $b sed -n 's/p/P/gp' a
show $b awk '{ n += NF } END { print n, NR }' words
show $b grep -n ap a
show $b egrep 'f|g' a
show $b fgrep -c apple a
show $b fold -w 5 words
show $b expand dos
show $b unexpand -a words
show $b dos2unix dos
show $b unix2dos dos
show $b od -c dos
show $b hexdump -C a
show $b xxd a
show $b cmp a b
show $b diff a b
show $b diff -u a a
show $b base64 a
show $b uuencode a name
show $b strings a
show $b shuf -i 1-1
show $b seq 1 3 10
show $b factor 360 97
show $b expr 7 '*' 6
show $b printf '%05d %s\n' 42 text
show $b echo -e 'tab\there'
show $b md5sum a
show $b sha1sum a
show $b sha256sum a
show $b sha3sum a
show $b sha512sum a
show $b crc32 a
show $b ascii
show $b cal 2 2024
show $b basename /x/y.c .c
show $b dirname /x/y
show $b bc -q <<EOF
2^64 / 3
EOF
show $b dc -e '2 3 + p'
show $b tee copy <a
show $b more <a
show $b ts x <a | $b wc -l
show $b ipcalc -bnmp 10.1.2.3/20
show $b ed words <<EOF
1s/two/2/
w
q
EOF
show $b cat words
show $b patch -p0 <<EOF
--- words
+++ words
@@ -1,2 +1,2 @@
 one 2 three
-four five six
+4 5 6
EOF
show $b cat words
show $b xargs -n 2 echo <a
show $b yes n | $b head -n 2
show $b w >/dev/null
show $b who
