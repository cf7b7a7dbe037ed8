/**
 * The Gofer's Worker. A message names a sandbox's roots and brings the port to its Sentry; all others come
 * from there. A reply is followed by the doorbell, since the Sentry waits in C.
 */
import { ring } from "../platform/host/host.ts";
import { GoferServer, parseRoots } from "./server.ts";

const worker = self as unknown as {
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
};

worker.onmessage = (event) => {
  const { port, roots } = event.data as { port: unknown; roots: unknown };
  const checked = parseRoots(roots);
  if (!(port instanceof MessagePort) || checked === null) return worker.close();
  const server = new GoferServer(checked);
  port.onmessage = (message) => {
    const reply = server.handle(message.data);
    if (reply === null) return;
    const data = reply.data;
    if (data === undefined) port.postMessage(reply);
    else port.postMessage(reply, [data]);
    ring();
  };
};
