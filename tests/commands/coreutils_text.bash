# GNU coreutils on text.
export LC_ALL=C
seq 20 | shuf --random-source=/bin/true | sort -n | paste -sd,
printf 'b 2\na 10\nc 1\n' | sort -k2,2n -o sorted && cat sorted
printf 'x\nx\ny\n' | uniq -cd
seq 5 | tac | nl -w3 -s:
seq 100 | split -l 30 - part. && wc -l part.*
seq 10 | csplit -s - 4 8 && head xx*
comm -12 <(seq 1 5) <(seq 3 8) 2>/dev/null || { seq 1 5 >l; seq 3 8 >r; comm -12 l r; }
printf '1 a\n2 b\n' >l; printf '1 A\n3 C\n' >r; join -a1 l r
printf 'a\tb\n' | expand -t4 | unexpand -a -t4 | od -An -c
echo 'The quick brown fox jumps' | fmt -w 12
echo 'wrap this text' | fold -sw 6
pr -t -2 -l3 -w20 <<<"$(seq 6)" 2>/dev/null || seq 6 | pr -t -2 -l3 -w20
numfmt --to=iec 1536 1048576
factor 1234567890
echo abc | tr -d b | base64 | base32 | base32 -d | base64 -d
sha256sum /bin/true | cut -c65-; md5sum --tag /dev/null
b2sum </dev/null | cut -c1-32
cksum </dev/null; sum </dev/null
printf '%s %q %x\n' a 'b c' 255
printf 'a,b,c\n' | cut -d, -f1,3 --output-delimiter=-
date -u -d '2024-02-29 12:34:56 + 1 year' '+%F %T %A'
tsort <<EOF
a b
b c
EOF
ptx -G <<<'one two' 2>/dev/null | wc -l
echo 'x=1' | tee copy | cat -A
head -c 100000 /dev/zero | wc -c
yes | head -n 100000 | md5sum
seq 1000000 | tail -n 3
