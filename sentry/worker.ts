/**
 * Entry of the Sentry Worker. Its first message is the Sentry's code with V8's bytecode of it, since V8
 * would take longer to read the text than all else takes at the start; the second starts a sandbox.
 */
import { receiveMessageOnPort } from "node:worker_threads";
import { runScript, scriptOf } from "../platform/host/script.ts";
import type { SentryCode, SentryStart, WorkerScope } from "./config.ts";

/** Replaced by the build: true in the binary whose only run tells V8 what a sandbox uses of the code. */
declare const TRAINING: boolean;

const worker = self as unknown as {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
};

const scope: WorkerScope = {
  precompiled: false,
  post: (message) => worker.postMessage(message),
  receive: (port) => receiveMessageOnPort(port as never),
  runScript: (source, filename) => runScript(scriptOf(source, filename), import.meta.url),
};

worker.onmessage = (event) => {
  const { source, cache } = event.data as SentryCode;
  const script = scriptOf(source, "sentry.js", cache ?? undefined);
  // What lay in these is V8's now; a collection may be far.
  source.buffer.transfer(0);
  cache?.buffer.transfer(0);
  scope.precompiled = script.cachedDataRejected === false;
  const sentry = runScript(script, import.meta.url) as typeof import("./sentry.ts");
  worker.onmessage = (event) => {
    const start = event.data as SentryStart;
    if (TRAINING) {
      const out = sentry.duplicate(start.config.stdio[1]);
      scope.ended = () => sentry.writeFile(out, script.createCachedData());
    }
    sentry.serve(start, scope);
  };
};
