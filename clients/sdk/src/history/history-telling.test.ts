import { ManualClock } from "@sotto/clock";
import { parseRoomId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { MemoryStore } from "../ports/memory-store.ts";
import { encodePolicy } from "../rooms/policy.ts";
import type { Room } from "../rooms/room.ts";
import { HistoryTelling } from "./history-telling.ts";
import { nothingTold } from "./telling.ts";

test("newcomers are told nothing while the directory is not believed, and at once when it is", async () => {
  const clock = new ManualClock();
  const directory: { now: Error | undefined } = { now: new Error("a fork") };
  let scans = 0;
  class CountingStore extends MemoryStore {
    override async scan(...query: Parameters<MemoryStore["scan"]>) {
      if (query[0] === "history-index") scans++;
      return await super.scan(...query);
    }
  }
  const context = {
    ...{ clock, store: new CountingStore(), random: () => 0, notice: () => {} },
    signal: new AbortController().signal,
    directory: { refusal: () => directory.now },
  };
  const room = {
    replica: {
      ...{ context, caughtUp: true, room: parseRoomId("aa".repeat(16)) },
      group: { policy: encodePolicy({ admins: [], history: "all" }) },
      state: { telling: { ...nothingTold, newcomers: 5 }, phase: "active", cursor: 6 },
    },
  } as unknown as Room;
  const telling = new HistoryTelling(room);
  telling.arrived();
  telling.wake();
  await clock.advance(60_000);
  expect(scans).toBe(0);
  directory.now = undefined;
  telling.wake();
  await clock.advance(20_000);
  telling.close();
  expect(scans).toBeGreaterThan(0);
});

test("a store that fails is told of, and ends no process", async () => {
  class FailingStore extends MemoryStore {
    override async scan(): Promise<never> {
      throw new Error("the disk is gone");
    }
  }
  const told: string[] = [];
  const context = {
    ...{ clock: new ManualClock(), store: new FailingStore() },
    notice: (_: string, text: string) => told.push(text),
    signal: new AbortController().signal,
    directory: { refusal: () => undefined },
  };
  const room = {
    replica: {
      ...{ context, caughtUp: true, room: parseRoomId("aa".repeat(16)), onAdvanced: () => {} },
      group: { policy: encodePolicy({ admins: [], history: "all" }) },
      state: { telling: { ...nothingTold, missing: 5 }, phase: "active", cursor: 6 },
    },
  } as unknown as Room;
  // What nobody catches fails this test.
  const telling = new HistoryTelling(room);
  telling.wake();
  await new Promise((resolve) => setImmediate(resolve));
  telling.close();
  expect(told).toEqual(["what was said before is not here: the disk is gone"]);
});
