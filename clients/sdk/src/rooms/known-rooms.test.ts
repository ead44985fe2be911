import { ManualClock } from "@sotto/clock";
import { parseRoomId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { History } from "../history/history.ts";
import { Notices } from "../notices.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { KnownRooms } from "./known-rooms.ts";
import { Outbox } from "./outbox.ts";
import type { RoomContext } from "./room-context.ts";
import { newRoomState, parseRoomState } from "./room-state.ts";

const id = parseRoomId("aa".repeat(16));

test("what is still under way in a room that was left touches nothing of the one that was entered anew", async () => {
  const store = new MemoryStore();
  const context = {
    ...{ store, outbox: await Outbox.open(store), clock: new ManualClock(), random: () => 0 },
    history: await History.open(store),
    notices: await Notices.open(store, { emit: () => {} }),
    signal: new AbortController().signal,
    directory: { refusal: () => undefined },
  } as unknown as RoomContext;
  const rooms = new KnownRooms(context);
  await rooms.load({ ...newRoomState(id, 1), phase: "left" }, undefined);
  const before = rooms.get(id)?.replica;
  const { room, begun } = await rooms.begin(id, async () => newRoomState(id, 9));
  expect(begun).toBe(true);
  // It has joined since.
  const group = new Uint8Array([1]);
  await room?.replica.persist([{ table: "groups", key: id, value: group }], false);
  await before?.persist([], false);
  await before?.leave();
  expect(await store.get("groups", id)).toEqual(group);
  const row = await store.get("rooms", id);
  expect(row && parseRoomState(row)).toMatchObject({ phase: "entering", cursor: 8 });
});
