# findutils, grep, sed, awk, diff and patch.
export LC_ALL=C
mkdir -p t/{a,b}/{c,d} 2>/dev/null || mkdir -p t/a/c t/a/d t/b/c t/b/d
for i in 1 2 3 4 5 6; do echo "line $i of a file" >t/a/c/f$i.txt; done
echo needle >t/b/d/hay; ln -s ../b t/a/link; touch -d '2000-01-01' t/old
find t | sort; find t -type f -size -2 -name '*.txt' | wc -l; find t -newer t/old -type d | sort
find t -maxdepth 2 -type l -printf '%p -> %l\n' | sort; find t -name 'f[12].txt' -exec cat {} + | sort; find t -empty | sort; find -L t -name hay | sort
find t -name '*.txt' -print0 | xargs -0 -n 3 echo | wc -l; find t -path '*/c/*' -delete; find t | wc -l
find t \( -name a -prune \) -o -type f -print | sort; find /proc/self/fd -maxdepth 0
grep -rn needle t; grep -c . /etc/passwd >/dev/null; printf 'a1\nb2\n' | grep -E '^[ab][0-9]$' | grep -v b; echo abc | grep -oP '(?<=a)b'; grep -q zzz t/old; echo $?
grep -l needle -r t; grep x missing 2>&1; echo $?
printf 'one\ntwo\nthree\n' | sed -e '/two/{s//2/;a after' -e '}' -e '$!d' ; printf 'a b\n' | sed -E 's/(.) (.)/\2 \1/'; seq 5 | sed -n '2,4p;4q'
echo text >e; sed -i.bak 's/t/T/g' e; cat e e.bak
seq 10 | awk '{ s += $1; a[NR % 3] = a[NR % 3] " " $1 } END { print s; for (i = 0; i < 3; i++) print i, a[i] }'
awk 'BEGIN { while (("echo a; echo b" | getline x) > 0) print "got " x; print "to sort" | "sort"; close("sort"); printf "%5.2f|%s\n", 3.14159, toupper("up"); exit 3 }'; echo $?
gawk 'BEGIN { "date -u -d @0 +%Y" | getline y; print y, strftime("%j", 0, 1), gensub(/b/, "B", "g", "abcb") }'
seq 5 >x; seq 2 6 >y; diff x y; diff -u x y | tail -n +3 >p; patch -s x p; cmp x y && echo patched; diff -rq t t; sdiff -w 20 x y | head -2; cmp x p | head -c 20; echo
locate --version >/dev/null 2>&1; which sh; file -b --mime-type e 2>/dev/null; strings -n 4 e; xargs --show-limits </dev/null >/dev/null 2>&1; echo $?
