# perl: fork, pipes, wait, signals, sockets, select, flock, tied together.
use strict; use warnings; use IO::Handle; use IO::Select; use Socket; use POSIX qw(:sys_wait_h); use Fcntl qw(:flock);
$| = 1;
my @pids;
for my $n (1 .. 5) { my $pid = fork // die; if (!$pid) { exit $n } push @pids, $pid }
print join(",", map { waitpid($_, 0); $? >> 8 } @pids), "\n";
pipe(my $r, my $w); my $pid = fork;
if (!$pid) { close $r; print $w "from child\n"; exit 0 } close $w; print scalar <$r>; waitpid $pid, 0;
open my $out, "-|", "echo", "list open" or die; print <$out>; close $out; print "status $?\n";
open my $in, "|-", "sort" or die; print $in "b\na\n"; close $in;
my $text = `printf 'x y'; exit 3`; print "$text ", $? >> 8, "\n";
local $SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$;
{ my $reaped = 0; local $SIG{CHLD} = sub { $reaped++ while waitpid(-1, WNOHANG) > 0 }; fork || exit 0; until ($reaped) { select undef, undef, undef, 0.05 } print "reaped $reaped\n" }
eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; 1 while select(undef, undef, undef, 10) <= 0; }; print $@;
socketpair(my $left, my $right, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
if (!fork) { syswrite $right, "ping"; exit 0 } IO::Select->new($left)->can_read(5); sysread $left, my $got, 10; print "$got\n";
open my $lock, ">", "lock"; flock $lock, LOCK_EX; print "locked\n"; system "true"; print "system $?\n"; system "sh", "-c", "exit 7"; print $? >> 8, "\n";
open my $f, "+>", "file"; print $f "0123456789"; seek $f, 3, 0; read $f, my $part, 4; truncate $f, 5; print "$part ", -s $f, "\n";
my %h = map { $_ => length } qw(a bb ccc); print "$_=$h{$_} " for sort keys %h; print "\n"; mkdir "d"; opendir my $d, "."; print join(" ", sort grep !/^\./, readdir $d), "\n";
my @s = stat "file"; printf "%o %d\n", $s[2] & 07777, $s[7]; print join(",", sort { $a <=> $b } unpack "C*", pack "N", 16909060), "\n"; exec "echo", "replaced";
