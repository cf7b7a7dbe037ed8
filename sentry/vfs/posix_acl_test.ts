import { assert, assertEquals } from "@std/assert";
import { EINVAL, EOPNOTSUPP } from "../../platform/abi/errno.ts";
import {
  ACL_GROUP,
  ACL_GROUP_OBJ,
  ACL_MASK,
  ACL_OTHER,
  ACL_USER,
  ACL_USER_OBJ,
} from "../../platform/abi/posix_acl.ts";
import { initialCredentials } from "../auth/credentials.ts";
import { type AclEntry, aclValue } from "./fixture_test.ts";
import { decodeAcl, PosixAcl } from "./posix_acl.ts";

function list(...entries: AclEntry[]): PosixAcl {
  const acl = decodeAcl(aclValue(entries));
  assert(acl instanceof PosixAcl);
  return acl;
}

const MINIMAL: AclEntry[] = [[ACL_USER_OBJ, 6], [ACL_GROUP_OBJ, 4], [ACL_OTHER, 0]];
const EXTENDED: AclEntry[] = [
  [ACL_USER_OBJ, 6],
  [ACL_USER, 7, 1000],
  [ACL_GROUP_OBJ, 4],
  [ACL_GROUP, 2, 2000],
  [ACL_MASK, 6],
  [ACL_OTHER, 1],
];

Deno.test("a value is decoded to a list of the same bytes, or refused", () => {
  assertEquals(list(...EXTENDED).bytes, aclValue(EXTENDED));
  assertEquals(list([ACL_USER_OBJ, 6, 5], ...MINIMAL.slice(1)).bytes, aclValue(MINIMAL));
  assertEquals(decodeAcl(aclValue([])), null);
  assertEquals(decodeAcl(new Uint8Array(0)), null);
  assertEquals(decodeAcl(aclValue(MINIMAL, 1)), -EOPNOTSUPP);
  assertEquals(decodeAcl(aclValue(MINIMAL).subarray(0, 27)), -EINVAL);
  assertEquals(decodeAcl(new Uint8Array(3)), -EINVAL);
  assertEquals(decodeAcl(aclValue([[0x40, 0]])), -EINVAL);
});

Deno.test("a list is valid with all entries it needs, in order, once each but the named", () => {
  assert(list(...MINIMAL).isValid);
  assert(list(...EXTENDED).isValid);
  assert(list(...EXTENDED.toSpliced(1, 0, EXTENDED[1])).isValid);
  for (const i of [0, 2, 4, 5]) {
    assert(!list(...EXTENDED.toSpliced(i, 1)).isValid, `without entry ${i}`);
    assert(!list(...EXTENDED.toSpliced(i, 0, EXTENDED[i])).isValid, `entry ${i} twice`);
  }
  assert(!list(...EXTENDED.toReversed()).isValid);
  assert(!list([ACL_USER_OBJ, 8], ...MINIMAL.slice(1)).isValid);
  assert(list(...EXTENDED.toSpliced(1, 1, [ACL_USER, 7])).hasUndefinedId);
});

Deno.test("the mode's group bits are the mask, or the owning group's where there is none", () => {
  assertEquals(list(...MINIMAL).modeBits, 0o640);
  assertEquals(list(...EXTENDED).modeBits, 0o661);
  assertEquals(list(...MINIMAL).withMode(0o751).modeBits, 0o751);
  const changed = list(...EXTENDED).withMode(0o715);
  assertEquals(
    changed.bytes,
    list(
      [ACL_USER_OBJ, 7],
      [ACL_USER, 7, 1000],
      [ACL_GROUP_OBJ, 4],
      [ACL_GROUP, 2, 2000],
      [ACL_MASK, 1],
      [ACL_OTHER, 5],
    ).bytes,
  );
  assertEquals(list(...EXTENDED).forNewFile(0o604).modeBits, 0o600);
});

Deno.test("the first entry that is of a user decides, of groups any that grants", () => {
  const acl = list(...EXTENDED);
  const may = (uid: number, groups: number[], want: number) =>
    acl.permits(initialCredentials(uid, groups[0], groups), 1, 2, want);
  assert(may(1, [2], 6) && !may(1, [2], 1));
  assert(may(1000, [9], 6) && !may(1000, [9], 1), "the mask limits a named user");
  assert(may(9, [2], 4) && may(9, [2000], 2));
  assert(!may(9, [2, 2000], 6), "no group alone grants both");
  assert(!may(9, [2], 1), "who is in a group is not another");
  assert(may(9, [9], 1) && !may(9, [9], 4));
});
