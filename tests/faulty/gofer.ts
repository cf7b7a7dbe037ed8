/** The Gofer with a bug in fsync(2): see bugs_test.ts and, in scripts/build, `build_faulty`. */
import { OP_FSYNC } from "../../gofer/protocol.ts";
import { GoferServer } from "../../gofer/server.ts";
import "../../gofer/worker.ts";

const handle = GoferServer.prototype.handle;

GoferServer.prototype.handle = function (message) {
  if ((message as { op: number }).op === OP_FSYNC) throw new TypeError("a bug in the Gofer");
  return handle.call(this, message);
};
