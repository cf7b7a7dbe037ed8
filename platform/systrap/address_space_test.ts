/** What only systrap has: stubs that greet. What every platform does is tested by platform_test.ts. */
import { assert, assertEquals } from "@std/assert";
import { closeFd } from "../host/host.ts";
import { EVENT_LOST } from "../platform.ts";
import { SystrapAddressSpace } from "./address_space.ts";
import { SystrapPlatform } from "./systrap.ts";

/** Longer than any test may take. */
const FOREVER_MS = 1_000_000;

Deno.test("a stub that ends before it greets is known to be dead, and its thread is lost", () => {
  const platform = SystrapPlatform.start({ emptyRootFd: -1, namespaces: 0 });
  try {
    const region = platform.takeRegion();
    assert(typeof region !== "number");
    const stubEnd = region.connect();
    assert(stubEnd >= 0);
    const space = new SystrapAddressSpace(platform, region);
    const ctx = space.addContext();
    assert(typeof ctx !== "number");
    assertEquals(space.learnPid(0), 0, "it may greet yet");
    closeFd(stubEnd);
    assert(space.learnPid(FOREVER_MS) < 0);
    assertEquals(platform.wait(0), ctx);
    assertEquals(ctx.event, EVENT_LOST);
    ctx.release();
  } finally {
    platform.shutdown();
  }
});
