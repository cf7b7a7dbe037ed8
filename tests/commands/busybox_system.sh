# Every applet of busybox about processes and the system, where its answer is the same everywhere.
b=busybox
show() { echo "== $*"; "$@"; echo "status $?"; }
show $b true
show $b false
show $b env -i A=1 $b env
show $b env -i $b env
show $b id -u
show $b id -gn
show $b groups
show $b whoami
show $b logname
show $b uname -sm
show $b arch
show $b nproc >/dev/null
show $b sleep 0.01
show $b usleep 1000
show $b timeout 0.05 $b sleep 5
show $b time -f '%x' $b true
show $b renice 3 $$ >/dev/null
show $b ionice -c 2 -n 3 $b true
show $b setsid $b echo session
show $b taskset -p $$ | $b wc -l
show $b sh -c 'exec 2>/dev/null; sleep 5 & busybox kill $!; wait $!; echo $?'
show $b pidof no-such-program
show $b ps -o comm | $b head -n 1
show $b free | $b head -n 1
show $b uptime >/dev/null
show $b hostname >/dev/null
show $b hostid >/dev/null
show $b date -u -d @86400
show $b tty
show $b stty -a
show $b cal 1 2000
show $b getopt ab: -a -b 3 rest
show $b mkpasswd -m sha512 -S saltsalt secret
show $b sysctl -n kernel.ostype
show $b dmesg >/dev/null 2>&1
show $b unshare -u $b true
show $b setpriv --dump >/dev/null
show $b watch -h >/dev/null 2>&1
show $b start-stop-daemon -S -x /bin/true -- x
show $b linux64 $b uname -m
show $b test 3 -gt 2
show $b ash -c 'trap "echo bye" EXIT; echo hi'
show $b sh -c 'a=$(busybox seq 3 | busybox tr "\n" ,); echo $a'
show $b seq 5 | $b sh -c 'while read x; do echo $((x * x)); done'
show $b mount >/dev/null
show $b who
show $b last >/dev/null
