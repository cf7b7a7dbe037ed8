import { assertEquals } from "@std/assert";
import { inGroup, initialCredentials } from "./credentials.ts";

Deno.test("a member of a group is one by the own group or any of the others, in whatever order", () => {
  for (const groups of [[], [7], [9, 3], [0xfffffffe, 5, 100, 5], [8, 6, 4, 2, 0]]) {
    const creds = initialCredentials(1000, 50, groups);
    for (const gid of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 100, 101, 0xfffffffe]) {
      assertEquals(inGroup(creds, gid), gid === 50 || groups.includes(gid), `${gid} in ${groups}`);
    }
  }
});
