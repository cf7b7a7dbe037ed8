import { assertEquals } from "@std/assert";
import { CAP_CHOWN, CAP_KILL, CAP_NET_RAW } from "../../platform/abi/capability.ts";
import { EPERM } from "../../platform/abi/errno.ts";
import { type Credentials, initialCredentials } from "../auth/credentials.ts";
import { capBit, CAPS_ALL, CAPS_NONE, capset, capsOr, fixupSetuid } from "./credentials_change.ts";
import { credsForExec as credsOrError, type ExecCredentials } from "./exec_credentials.ts";

const user: Credentials = initialCredentials(1000, 1000, [1000]);
const root: Credentials = {
  ...initialCredentials(0, 0, [0]),
  bounding: CAPS_ALL,
  permitted: CAPS_ALL,
};

function credsForExec(...args: Parameters<typeof credsOrError>): ExecCredentials {
  const result = credsOrError(...args);
  if (typeof result === "number") throw new Error(`refused: ${result}`);
  return result;
}

Deno.test("a set-user-id-root program gets root's capabilities and AT_SECURE", () => {
  const { creds, secure } = credsForExec(
    { ...user, bounding: CAPS_ALL },
    0o104755,
    0,
    0,
    false,
    null,
  );
  assertEquals([creds.ruid, creds.euid, creds.suid, creds.fsuid], [1000, 0, 0, 0]);
  assertEquals(creds.effective, CAPS_ALL);
  assertEquals(secure, true);
});

Deno.test("set-id bits count neither on nosuid mounts nor with no_new_privs", () => {
  for (const [old, nosuid] of [[user, true], [{ ...user, noNewPrivs: true }, false]] as const) {
    const { creds, secure } = credsForExec(old, 0o106755, 0, 0, nosuid, null);
    assertEquals([creds.euid, creds.egid, secure], [1000, 1000, false]);
    assertEquals(creds.permitted, CAPS_NONE);
  }
});

Deno.test("the set-group-id bit without group execute is a lock mark, not a privilege", () => {
  assertEquals(credsForExec(user, 0o102745, 0, 5, false, null).creds.egid, 1000);
  assertEquals(credsForExec(user, 0o102755, 0, 5, false, null).creds.egid, 5);
});

Deno.test("file capabilities are bounded, and effective only if the file says so", () => {
  const file = { permitted: capBit(CAP_NET_RAW), inheritable: CAPS_NONE, effective: true };
  const bounded = { ...user, bounding: CAPS_ALL };
  const { creds, secure } = credsForExec(bounded, 0o100755, 0, 0, false, file);
  assertEquals(creds.effective, capBit(CAP_NET_RAW));
  assertEquals(secure, true);
  const quiet = credsForExec(bounded, 0o100755, 0, 0, false, { ...file, effective: false });
  assertEquals(quiet.creds.effective, CAPS_NONE);
  assertEquals(quiet.creds.permitted, capBit(CAP_NET_RAW));
});

Deno.test("a program that counts on file capabilities does not run without one of them", () => {
  const both = capsOr(capBit(CAP_NET_RAW), capBit(CAP_KILL));
  const file = { permitted: both, inheritable: CAPS_NONE, effective: true };
  const bounded = { ...user, bounding: capBit(CAP_KILL) };
  assertEquals(credsOrError(bounded, 0o100755, 0, 0, false, file), -EPERM);
  const { creds } = credsForExec(bounded, 0o100755, 0, 0, false, { ...file, effective: false });
  assertEquals(creds.permitted, capBit(CAP_KILL));
});

Deno.test("an ordinary user keeps ambient capabilities over an ordinary exec", () => {
  const old = { ...user, permitted: capBit(CAP_KILL), ambient: capBit(CAP_KILL) };
  const { creds, secure } = credsForExec(old, 0o100755, 0, 0, false, null);
  assertEquals([creds.effective, creds.permitted, secure], [
    capBit(CAP_KILL),
    capBit(CAP_KILL),
    false,
  ]);
});

Deno.test("an exec that changes nothing keeps the very credentials, which caches are by", () => {
  const { creds } = credsForExec(root, 0o100755, 5, 5, false, null);
  assertEquals(credsForExec(creds, 0o100755, 5, 5, false, null).creds === creds, true);
  assertEquals(credsForExec(creds, 0o104755, 5, 5, false, null).creds === creds, false);
});

Deno.test("leaving user id 0 loses capabilities, unless kept", () => {
  const left = fixupSetuid(root, { ...root, ruid: 5, euid: 5, suid: 5 });
  assertEquals([left.permitted, left.effective], [CAPS_NONE, CAPS_NONE]);
  const half = fixupSetuid(root, { ...root, euid: 5 });
  assertEquals([half.permitted, half.effective], [CAPS_ALL, CAPS_NONE]);
});

Deno.test("capset adds nothing to the permitted set", () => {
  const old = { ...user, permitted: capBit(CAP_KILL) };
  assertEquals(capset(old, CAPS_NONE, CAPS_NONE, capBit(CAP_CHOWN)), null);
  assertEquals(
    capset(old, capBit(CAP_KILL), CAPS_NONE, capBit(CAP_KILL))?.effective,
    capBit(CAP_KILL),
  );
  assertEquals(capset(old, capBit(CAP_KILL), CAPS_NONE, CAPS_NONE), null);
});

Deno.test("set-id bits count nothing while others share the root, but for who may change ids", () => {
  const old = { ...user, bounding: CAPS_ALL };
  const { creds } = credsForExec(old, 0o106755, 0, 0, false, null, true);
  assertEquals([creds.euid, creds.egid], [1000, 1000]);
  assertEquals(creds.permitted, CAPS_NONE);
  const capable = credsForExec({ ...root, effective: CAPS_ALL }, 0o104755, 5, 0, false, null, true);
  assertEquals(capable.creds.euid, 5);
});
