# GNU coreutils on processes and the system.
id -u; id -un; groups; whoami; arch; uname -s; nproc >/dev/null; hostid >/dev/null; uptime >/dev/null
env -i A=b env; printenv HOME; env -u HOME sh -c 'echo ${HOME-unset}'
echo $(($(nice -n 7 nice) - $(nice))); nohup true 2>/dev/null; echo $?
timeout 0.05 sleep 9; echo $?; timeout -s KILL 0.05 sleep 9; echo $?
timeout 5 sh -c 'exit 3'; echo $?
stdbuf -oL echo buffered; setsid echo session; chroot / echo rooted; chroot --userspec=1000:1000 / id -u
sleep 0.01 0.01; sh -c 'exit 300'; echo $?; kill -l 15; kill -l TERM
tty; test -t 0; echo $?; stty size 2>&1 | head -1
taskset -c 0 nproc; prlimit --nofile=55:60 sh -c 'ulimit -n'; ionice -c 3 true; renice -n 1 $$ >/dev/null
flock lock echo locked; flock -n lock true; flock lock flock -n lock echo no; echo $?
seq 3 | xargs -P 3 -I{} sh -c 'exit 0'; echo $?
setpriv --reuid 1000 --clear-groups id -u; unshare -u true; echo $?
getent passwd root | cut -d: -f1; logname 2>&1 | head -1
