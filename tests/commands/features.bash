# What bash has beyond POSIX.
echo "== process substitution"
diff <(printf '1\n2\n') <(printf '1\n3\n'); echo $?
tee >(tr a-z A-Z >upper) >/dev/null <<<"here string"; sleep 0.1; cat upper
while read -r a b; do echo "$b $a"; done < <(printf 'x y\nz w\n')
echo "== coprocess"
coproc bc -q
echo '2 ^ 10' >&"${COPROC[1]}"
read -r answer <&"${COPROC[0]}"
echo "$answer"
calculator=$COPROC_PID # bash unsets the variable when it notices the end.
eval "exec ${COPROC[1]}>&-"
wait "$calculator"; echo $?
coproc up { while read -r line; do echo "${line^^}"; done; }
echo quiet >&"${up[1]}"; read -r loud <&"${up[0]}"; echo "$loud"
echo "== arrays"
a=(one two three); a+=(four)
echo "${#a[@]} ${a[-1]} ${a[*]:1:2} ${!a[*]}"
declare -A m=([x]=1 [y]=2); m[z]=3
for k in $(printf '%s\n' "${!m[@]}" | sort); do echo "$k=${m[$k]}"; done
mapfile -t lines < <(seq 3); echo "${lines[2]}"
echo "== strings"
s="Hello World"
echo "${s,,} ${s//o/0} ${s:6} ${s/%World/There}"
[[ $s =~ ([A-Z])[a-z]+\ ([A-Z]) ]] && echo "${BASH_REMATCH[1]}${BASH_REMATCH[2]}"
printf -v padded '%-6s|%04x' ab 255; echo "$padded"
echo $'tab\tquote\'' {a..e} {1..10..3} x{1,2}y
echo "== status"
set -o pipefail; false | true; echo $?; set +o pipefail
true | false | true; echo "${PIPESTATUS[@]}"
trap 'echo "error at line"' ERR; false; trap - ERR
trap 'echo exit trap $?' EXIT
(exit 3); echo $?
echo "== jobs"
# bash loses a signal that meets its child between the fork and the exec: with an EXIT trap set, its own handler is there.
await_exec() { until [[ $(<"/proc/$1/comm") == sleep ]]; do sleep 0.01; done; }
set -m
sleep 100 & await_exec $!
sleep 200 & await_exec $!
jobs
kill '%?sleep 100'; wait '%?sleep 100' 2>/dev/null; echo $?
kill -STOP '%?sleep 200'; sleep 0.05; jobs
kill -CONT '%?sleep 200'; kill '%?sleep 200'; wait '%?sleep 200' 2>/dev/null; echo $?
set +m
(sleep 0.02; exit 4) & (sleep 0.2; exit 5) &
wait -n; echo $?
wait -n; echo $?
echo "== descriptors"
exec {fd}>file; echo "fd is over 9: $((fd > 9))"; echo text >&$fd; exec {fd}>&-; cat file
read -r -t 0.05 nothing < <(sleep 1); echo "timeout: $(($? > 128))"
read -r -N 3 three <<<"abcdef"; echo "$three"
echo "== misc"
f() { echo "${FUNCNAME[0]} ${#BASH_SOURCE[@]}"; }; f
echo $((2#1010 + 0x1f + 8#17)) $((5 ** 3)) $(( (1, 2, 3) ))
for ((i = 0; i < 3; i++)); do printf '%d ' $i; done; echo
select x in a b; do echo "chose $x"; break; done <<<2 2>/dev/null
shopt -s extglob globstar nullglob
mkdir -p d/e; touch d/e/f.txt; echo **/*.txt !(file|upper) none*
echo "$BASHPID" | grep -c .
ulimit -S -n 64; ulimit -S -n
exec bash -c 'echo replaced; exit 6'
