import { ManualClock } from "@sotto/clock";
import { expect, test } from "vitest";
import type { Connection } from "./connection/connection.ts";
import { MemoryStore } from "./ports/memory-store.ts";
import { Trouble } from "./trouble.ts";

/** A server that takes reports, or fails. */
function reporting() {
  const reports: number[] = [];
  const state = { fails: false };
  const connection = {
    request: async (body: { value: { cannotOpen: number } }) => {
      if (state.fails) throw new Error("not now");
      reports.push(body.value.cannotOpen);
      return {};
    },
  } as unknown as Connection;
  return { reports, state, online: async () => connection };
}

async function opened(store: MemoryStore, clock: ManualClock, online: () => Promise<Connection>) {
  const trouble = await Trouble.open(store, clock, () => 0.5);
  trouble.online = online;
  return trouble;
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

test("what could not be opened is counted with its record, and reported as one number", async () => {
  const store = new MemoryStore();
  const clock = new ManualClock();
  const server = reporting();
  const trouble = await opened(store, clock, server.online);
  for (let i = 0; i < 3; i++) await store.commit([trouble.count()]);
  expect(trouble.cannotOpen).toBe(3);
  expect(server.reports).toEqual([]);
  await clock.advance(60_000);
  await settled();
  expect(server.reports).toEqual([3]);
  await clock.advance(600_000);
  await settled();
  expect(server.reports).toEqual([3]);
});

test("a report that failed is told again after a restart, once", async () => {
  const store = new MemoryStore();
  const clock = new ManualClock();
  const server = reporting();
  server.state.fails = true;
  const before = await opened(store, clock, server.online);
  await store.commit([before.count()]);
  await clock.advance(60_000);
  await settled();
  server.state.fails = false;
  const after = await opened(store, clock, server.online);
  expect(after.cannotOpen).toBe(1);
  after.later();
  await clock.advance(60_000);
  await settled();
  expect(server.reports).toEqual([1]);
  const last = await opened(store, clock, server.online);
  last.later();
  await clock.advance(60_000);
  await settled();
  expect(server.reports).toEqual([1]);
});
