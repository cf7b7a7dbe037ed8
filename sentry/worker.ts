/** Entry of the Sentry Worker: it gets its configuration in one message, builds the kernel, and runs. */
import { hostSyscall } from "../platform/host/host.ts";
import { SYS_exit_group } from "../platform/abi/amd64/syscalls.ts";
import { sandboxMain } from "./boot/main.ts";
import type { SentryStart } from "./config.ts";

const worker = self as unknown as {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
};

worker.onmessage = (event) => {
  worker.onmessage = null;
  sandboxMain(event.data as SentryStart, (message) => worker.postMessage(message))
    .then((status) => hostSyscall(SYS_exit_group, status));
};
