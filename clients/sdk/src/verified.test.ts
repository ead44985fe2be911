import { parseUserId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { MemoryStore } from "./ports/memory-store.ts";
import { verifiedChange, verifiedState } from "./verified.ts";

test("what was compared counts while the number is the same, and its end is not forgotten", async () => {
  const store = new MemoryStore();
  const user = parseUserId("01".repeat(16));
  expect(await verifiedState(store, user, "1")).toBe("no");
  await store.commit([verifiedChange(user, "1", 7)]);
  expect(await verifiedState(store, user, "1")).toBe("yes");
  expect(await verifiedState(store, user, "2")).toBe("changed");
  expect(await verifiedState(store, parseUserId("02".repeat(16)), "1")).toBe("no");
  await store.commit([verifiedChange(user, "2", 8)]);
  expect(await verifiedState(store, user, "2")).toBe("yes");
});
