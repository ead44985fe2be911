import { ManualClock } from "@sotto/clock";
import { limits, parseRoomId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { History } from "../history/history.ts";
import { Notices } from "../notices.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { KnownRooms } from "./known-rooms.ts";
import { Outbox } from "./outbox.ts";
import type { RoomContext } from "./room-context.ts";
import { newRoomState, parseRoomState } from "./room-state.ts";

const id = parseRoomId("aa".repeat(16));

async function contextOf(store: MemoryStore): Promise<RoomContext> {
  return {
    ...{ store, outbox: await Outbox.open(store), clock: new ManualClock(), random: () => 0 },
    history: await History.open(store),
    notices: await Notices.open(store, { emit: () => {} }),
    signal: new AbortController().signal,
    directory: { refusal: () => undefined },
  } as unknown as RoomContext;
}

test("what is still under way in a room that was left touches nothing of the one that was entered anew", async () => {
  const store = new MemoryStore();
  const rooms = new KnownRooms(await contextOf(store));
  await rooms.load({ ...newRoomState(id, 1), phase: "left" }, undefined);
  const before = rooms.get(id)?.replica;
  const { room, begun } = await rooms.begin(id, async () => newRoomState(id, 9));
  expect(begun).toBe(true);
  // It has joined since.
  if (room) room.replica.state.phase = "active";
  if (room) room.replica.state.pending = { sha256: "", staged: new Uint8Array(), begins: false };
  const group = new Uint8Array([1]);
  await room?.replica.persist([{ table: "groups", key: id, value: group }], false);
  await before?.persist([], false);
  await before?.leave();
  expect(await store.get("groups", id)).toEqual(group);
  const row = await store.get("rooms", id);
  expect(row && parseRoomState(row)).toMatchObject({ phase: "active", cursor: 8 });
});

test("rooms of which the server alone speaks take no place in the store, and are no more than a connection carries", async () => {
  const store = new MemoryStore();
  const rooms = new KnownRooms(await contextOf(store));
  for (let number = 1; number <= limits.subscriptionsMax + 10; number++) {
    const made = parseRoomId(number.toString(16).padStart(32, "0"));
    const { room, begun } = await rooms.begin(made, async () => newRoomState(made, 1));
    expect(begun).toBe(number <= limits.subscriptionsMax);
    await room?.replica.persist([{ table: "aside", key: made, value: new Uint8Array() }], true);
  }
  for (const table of ["rooms", "aside"] as const)
    expect(await store.scan(table, { limit: 10 })).toEqual([]);
  const [one] = rooms.all();
  if (one) await rooms.forget(one.replica.room);
  expect(rooms.all()).toHaveLength(limits.subscriptionsMax - 1);
});

test("a room that was left is what it was after the server has said in vain that this device is in again", async () => {
  const store = new MemoryStore();
  const rooms = new KnownRooms(await contextOf(store));
  await rooms.begin(id, async () => ({ ...newRoomState(id, 1), phase: "left", title: "general" }));
  await rooms.begin(id, async () => newRoomState(id, 9));
  expect(rooms.isIn(id)).toBe(true);
  await rooms.forget(id);
  expect(rooms.get(id)?.replica.state).toMatchObject({ phase: "left", title: "general" });
  const row = await store.get("rooms", id);
  expect(row && parseRoomState(row)).toMatchObject({ phase: "left", title: "general" });
});
