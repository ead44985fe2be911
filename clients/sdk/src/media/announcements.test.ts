import { expect, test } from "vitest";
import {
  alice,
  announced,
  deleted,
  elsewhere,
  mallory,
  openable,
  room,
} from "../../test/said-media.ts";
import { History } from "../history/history.ts";
import type { SaidMessage } from "../history/said-message.ts";
import { takeInOrder } from "../history/take-in-order.ts";
import { takeMemory } from "../history/take-memories.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { mediaChanges } from "./announcements.ts";

/** What a store makes of messages, one after another. */
async function after(...messages: readonly SaidMessage[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const said of messages) await store.commit(await mediaChanges(store, said));
  return store;
}

test("nobody else replaces or deletes what somebody announced in a room", async () => {
  for (const by of [{ sender: mallory }, { toldBy: mallory }, { room: elsewhere, sender: mallory }])
    expect(
      await openable(await after(announced("hers"), announced("forged", by), deleted(by))),
    ).toBe("hers");
  expect(await openable(await after(announced("hers"), deleted()))).toBeUndefined();
});

test("who announces somebody's object in another room first hides nothing of it", async () => {
  const by = { room: elsewhere, sender: mallory };
  const store = await after(announced("forged", by), announced("hers"));
  expect(await openable(store)).toBe("hers");
  expect(await openable(store, elsewhere)).toBe("forged");
  await store.commit(await mediaChanges(store, deleted(by)));
  expect(await openable(store, elsewhere)).toBeUndefined();
  expect(await openable(store)).toBe("hers");
});

test("of two in a room the first in its order stands, whichever came first to this device", async () => {
  const hers = announced("hers", { sequence: 10 });
  const forged = announced("forged", { sender: mallory, sequence: 11 });
  expect(await openable(await after(hers, forged))).toBe("hers");
  expect(await openable(await after(forged, hers))).toBe("hers");
  const again = announced("hers, renamed", { sequence: 12 });
  expect(await openable(await after(forged, again, hers))).toBe("hers");
  expect(await openable(await after(hers, again))).toBe("hers, renamed");
  expect(await openable(await after(again, hers))).toBe("hers, renamed");
});

test("what is told stands until it is heard, and a told one takes no place", async () => {
  const told = announced("told", { toldBy: mallory, sequence: 10 });
  const heard = announced("heard", { sequence: 10 });
  expect(await openable(await after(told, heard))).toBe("heard");
  expect(await openable(await after(heard, told))).toBe("heard");
});

async function take(messages: readonly SaidMessage[], inOneTurn: boolean): Promise<MemoryStore> {
  const store = new MemoryStore();
  const history = await History.open(store);
  const items = messages.map((said) => ({
    sequence: said.sequence,
    take: () => takeMemory(history, store, { said, passOn: true }, false),
  }));
  if (inOneTurn) await takeInOrder(history, store, items);
  else for (const item of items) await takeInOrder(history, store, [item]);
  return store;
}

test("of what is told, a deletion is obeyed only where it is the announcer's, whichever is told first", async () => {
  const toldBy = mallory;
  for (const [by, stays] of [
    [{ sender: mallory, toldBy }, true],
    [{ toldBy, room: elsewhere }, true],
    [{ toldBy }, false],
  ] as const) {
    const hers = announced("hers", { toldBy });
    const deletion = deleted(by);
    for (const messages of [
      [hers, deletion],
      [deletion, hers],
    ])
      for (const inOneTurn of [true, false])
        expect((await openable(await take(messages, inOneTurn))) !== undefined).toBe(stays);
  }
});

test("nobody's deletion hides the announcer's own, which was read before the announcement", async () => {
  const hers = announced("hers");
  const own = deleted();
  for (const by of [
    { sender: mallory },
    { room: elsewhere, sender: mallory },
    { sender: alice, toldBy: mallory },
  ]) {
    const store = await take([own, deleted(by), hers], false);
    expect(await openable(store, room)).toBeUndefined();
  }
});
