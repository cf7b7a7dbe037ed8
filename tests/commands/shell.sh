# POSIX sh: what scripts are made of. Run by dash and by bash.
echo "== pipes"
printf 'b\na\nc\n' | sort | tr a-c A-C | { read x; read y; echo "$x$y"; }
false | true; echo $?
! true; echo $?
echo "== here-documents"
name=world
cat <<EOF
hello $name $((6 * 7)) $(echo nested)
EOF
cat <<'EOF'
hello $name
EOF
cat <<-EOF
	tabs go
	EOF
echo "== redirections"
exec 3>out 4>&1
echo to three >&3
echo to four >&4
exec 3>&-
cat out
{ echo err >&2; echo out; } 2>both.err >both.out
cat both.err both.out
echo more >>out
wc -l <out
ls missing 2>/dev/null || echo "failed $?"
exec 5<>rw
echo text >&5
cat rw
(set -C; echo x >out) 2>/dev/null; echo "noclobber $?"
echo "== traps"
trap 'echo caught USR1' USR1
kill -USR1 $$
trap 'echo interrupted' INT
kill -INT $$
trap '' TERM
kill -TERM $$
trap - TERM
(trap 'echo subshell ends' EXIT; echo in subshell)
(kill -TERM $(exec sh -c 'echo $PPID'); echo not reached); echo "status $?"
echo "== background"
sleep 0.05 &
pid=$!
wait $pid; echo "waited $?"
(exit 7) &
wait $!; echo "waited $?"
sleep 100 &
kill $!
wait $! 2>/dev/null; echo "killed $?"
for i in 1 2 3; do (exit $i) & done
wait; echo "all $?"
echo "== functions and arithmetic"
fact() { [ $1 -le 1 ] && echo 1 || echo $(($1 * $(fact $(($1 - 1))))); }
fact 10
f() { local x=2; x=$((x << 3)); return $x; }
f; echo $?
set -- a 'b c' d
for arg; do echo "<$arg>"; done
shift 2; echo "$# $1"
i=0
while :; do i=$((i + 1)); [ $i = 3 ] && continue; [ $i -gt 5 ] && break; echo $i; done
case abcdef in a*f) echo matched ;; *) echo no ;; esac
echo "== expansion"
path=/usr/lib/x.tar.gz
echo ${path##*/} ${path%.*} ${path%%.*} ${#path} ${unset:-default} ${path:+set}
touch f1 f2 f3
echo f? f[12]
(unset nothing; : ${nothing:?is missing}) 2>&1 | sed 's/.*nothing/nothing/'
IFS=:; set -- $(echo a:b:c); echo $2; unset IFS
eval 'echo evaluated'
echo "== limits and umask"
umask 027; : >masked; ls -l masked | cut -c1-10
(ulimit -n 20; ulimit -n)
(ulimit -f 1; dd if=/dev/zero of=big bs=1024 count=10; exit $?) 2>/dev/null; echo "status $?"
echo "== exit"
(set -e; false; echo not reached); echo $?
(set -u; echo $undefined) 2>/dev/null; echo "$?" | grep -vx 0 >/dev/null && echo nonzero
sh -c 'exit 42'; echo $?
(sh -c 'kill -9 $$'; exit $?) 2>/dev/null; echo $?
command -v nosuchcommand; echo $?
nosuchcommand 2>/dev/null; echo $?
./out 2>/dev/null; echo $?
trap 'echo the end' EXIT
