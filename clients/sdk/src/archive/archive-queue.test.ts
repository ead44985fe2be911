import { expect, test } from "vitest";
import { orderOf } from "../history/history-keys.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import {
  queuedAgain,
  queuedInRuns,
  readQueue,
  struckFromQueue,
  withStruckRuns,
} from "./archive-queue.ts";

const queued = (key: string): StoreChange => ({
  table: "archive-queue",
  key,
  value: new Uint8Array(),
});
const between = (number: number) => `${orderOf(number)}.${orderOf(7)}.room.message`;

test("entries of one batch that follow each other are one row, and others rows of their own", async () => {
  await using store = new MemoryStore();
  const entry = { table: "history", key: orderOf(3), value: new Uint8Array() } as const;
  const orders = [orderOf(3), orderOf(4), orderOf(5), orderOf(9), between(4)];
  await store.commit(queuedInRuns([entry, ...orders.map(queued)]));
  expect(await store.scan("history", { limit: 9 })).toHaveLength(1);
  expect((await store.scan("archive-queue", { limit: 9 })).map(({ key }) => key)).toEqual([
    orderOf(3),
    between(4),
    orderOf(9),
  ]);
  expect(await readQueue(store, 9)).toEqual(orders.toSorted());
  expect(await readQueue(store, 2)).toEqual([orderOf(3), orderOf(4)]);
});

test("rows of earlier versions are runs of one", async () => {
  await using store = new MemoryStore();
  await store.commit([3, 4, 5].map((number) => queued(orderOf(number))));
  await store.commit(await struckFromQueue(store, [orderOf(4)]));
  expect(await readQueue(store, 9)).toEqual([orderOf(3), orderOf(5)]);
});

test("what is queued again in the place of a run leaves nothing of it out", async () => {
  await using store = new MemoryStore();
  await store.commit(queuedInRuns([3, 4, 5, 6].map((number) => queued(orderOf(number)))));
  await store.commit(await queuedAgain(store, [orderOf(2), orderOf(3), orderOf(4)]));
  expect(await readQueue(store, 9)).toEqual([2, 3, 4, 5, 6].map(orderOf));
});

test.each([1, 2, 3, 4, 5, 6])(
  "whatever is queued and struck, the queue holds just the rest (%i)",
  async (seed) => {
    let state = seed;
    const upTo = (bound: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % bound;
    };
    await using store = new MemoryStore();
    const model = new Set<string>();
    let next = 1;
    for (let round = 0; round < 40; round++) {
      next += upTo(4);
      const orders = Array.from({ length: 1 + upTo(40) }, () => orderOf(next++));
      if (upTo(3) === 0) orders.push(between(next - 1), between(next - 2));
      await store.commit(queuedInRuns(orders.map(queued)));
      const from = upTo(next);
      const step = 1 + upTo(5);
      const again = Array.from({ length: upTo(4) }, () => orderOf(1 + upTo(next - 1)));
      await store.commit(await queuedAgain(store, again));
      for (const order of [...orders, ...again]) model.add(order);
      const gone = Array.from({ length: upTo(60) }, (_, i) =>
        i % 7 === 3 ? between(from + i * step) : orderOf(from + i * step),
      );
      const strikes = gone.map(
        (key) => ({ table: "archive-queue", key, value: undefined }) as const,
      );
      await store.commit(await withStruckRuns(store, strikes));
      for (const order of gone) model.delete(order);
      expect(await readQueue(store, 10_000)).toEqual([...model].sort());
    }
  },
);
