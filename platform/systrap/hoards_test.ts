import { assertEquals } from "@std/assert";
import { EPROTO } from "../abi/errno.ts";
import { native } from "../host/ffi.ts";
import { closeFd } from "../host/host.ts";
import { MESSAGE_BYTES, sendFds, unreadBytes } from "./hoards.ts";

Deno.test("who takes nothing of what is sent is sent no more than it may have unread", () => {
  const pair = new Int32Array(2);
  native.dv_socketpair(pair);
  const [sock, end] = pair;
  const most = 24 * MESSAGE_BYTES;
  let sent = 0;
  while (sent < 100 && sendFds([], sock, 0, [end], most) === 0) sent++;
  assertEquals([sent >= 24, sent < 100], [true, true]);
  assertEquals(sendFds([], sock, 0, [end], most), -EPROTO);
  assertEquals(unreadBytes(sock) > most, true);
  closeFd(sock);
  closeFd(end);
});
