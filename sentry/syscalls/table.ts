/** The table of system calls: every family's rows in one list. */
import type { SyscallRow } from "../kernel/syscall.ts";
import { rows as aioRows } from "./aio.ts";
import { rows as attrRows } from "./attr.ts";
import { rows as cachestatRows } from "./cachestat.ts";
import { rows as capabilityRows } from "./capability.ts";
import { rows as credRows } from "./cred.ts";
import { rows as dirRows } from "./dir.ts";
import { rows as epollRows } from "./epoll.ts";
import { rows as eventfdRows } from "./eventfd.ts";
import { rows as execRows } from "./exec.ts";
import { rows as fcntlRows } from "./fcntl.ts";
import { rows as fileRows } from "./file.ts";
import { rows as fileAttrRows } from "./file_attr.ts";
import { rows as fileDataRows } from "./file_data.ts";
import { rows as fsContextRows } from "./fs_context.ts";
import { rows as fsopenRows } from "./fsopen.ts";
import { rows as futexRows } from "./futex.ts";
import { rows as futex2Rows } from "./futex2.ts";
import { rows as handleRows } from "./handle.ts";
import { rows as idsRows } from "./ids.ts";
import { rows as ioctlRows } from "./ioctl.ts";
import { rows as itimerRows } from "./itimer.ts";
import { rows as keyctlRows } from "./keyctl.ts";
import { rows as keyRows } from "./keys.ts";
import { rows as ldtRows } from "./ldt.ts";
import { rows as limitsRows } from "./limits.ts";
import { rows as lockRows } from "./lock.ts";
import { rows as madviseRows } from "./madvise.ts";
import { rows as memoryRows } from "./memory.ts";
import { rows as mempolicyRows } from "./mempolicy.ts";
import { rows as mlockRows } from "./mlock.ts";
import { rows as mountApiRows } from "./mount_api.ts";
import { rows as mountRows } from "./mount.ts";
import { rows as pageMigrationRows } from "./page_migration.ts";
import { rows as pidfdRows } from "./pidfd.ts";
import { rows as pipeRows } from "./pipe.ts";
import { rows as pollRows } from "./poll.ts";
import { rows as posixTimerRows } from "./posix_timer.ts";
import { rows as prctlRows } from "./prctl.ts";
import { rows as priorityRows } from "./priority.ts";
import { rows as processMadviseRows } from "./process_madvise.ts";
import { rows as processRows } from "./process.ts";
import { rows as processVmRows } from "./process_vm.ts";
import { rows as rusageRows } from "./rusage.ts";
import { rows as rwRows } from "./rw.ts";
import { rows as schedRows } from "./sched.ts";
import { rows as selectRows } from "./select.ts";
import { rows as sendfileRows } from "./sendfile.ts";
import { rows as setnsRows } from "./setns.ts";
import { rows as signalRows } from "./signal.ts";
import { rows as signalWaitRows } from "./signal_wait.ts";
import { rows as signalfdRows } from "./signalfd.ts";
import { rows as sleepRows } from "./sleep.ts";
import { rows as socketRows } from "./socket.ts";
import { rows as socketMessageRows } from "./socket_message.ts";
import { rows as spliceRows } from "./splice.ts";
import { rows as statmountRows } from "./statmount.ts";
import { rows as statRows } from "./stat.ts";
import { rows as sysfsRows } from "./sysfs.ts";
import { rows as systemRows } from "./system.ts";
import { rows as threadRows } from "./thread.ts";
import { rows as timeRows } from "./time.ts";
import { rows as timerfdRows } from "./timerfd.ts";
import { rows as waitRows } from "./wait.ts";
import { rows as xattrRows } from "./xattr.ts";

export const table: readonly SyscallRow[] = [
  ...aioRows,
  ...attrRows,
  ...cachestatRows,
  ...capabilityRows,
  ...credRows,
  ...dirRows,
  ...epollRows,
  ...eventfdRows,
  ...execRows,
  ...fcntlRows,
  ...fileAttrRows,
  ...fileDataRows,
  ...fileRows,
  ...fsContextRows,
  ...fsopenRows,
  ...futexRows,
  ...futex2Rows,
  ...handleRows,
  ...idsRows,
  ...ioctlRows,
  ...itimerRows,
  ...keyRows,
  ...keyctlRows,
  ...ldtRows,
  ...limitsRows,
  ...lockRows,
  ...madviseRows,
  ...memoryRows,
  ...mempolicyRows,
  ...mlockRows,
  ...mountApiRows,
  ...mountRows,
  ...pageMigrationRows,
  ...pidfdRows,
  ...pipeRows,
  ...pollRows,
  ...posixTimerRows,
  ...prctlRows,
  ...priorityRows,
  ...processMadviseRows,
  ...processRows,
  ...processVmRows,
  ...rusageRows,
  ...rwRows,
  ...schedRows,
  ...selectRows,
  ...sendfileRows,
  ...setnsRows,
  ...signalRows,
  ...signalWaitRows,
  ...signalfdRows,
  ...sleepRows,
  ...socketMessageRows,
  ...socketRows,
  ...spliceRows,
  ...statRows,
  ...statmountRows,
  ...sysfsRows,
  ...systemRows,
  ...threadRows,
  ...timeRows,
  ...timerfdRows,
  ...waitRows,
  ...xattrRows,
];
