import type { Directory } from "@sotto/identity";
import { parseRoomId, parseUserId, type UserId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { MemoryStore } from "../ports/memory-store.ts";
import { PromisedRooms } from "./promised-rooms.ts";

const carol = parseUserId(new Uint8Array(16).fill(3));
const [general, plans] = [1, 2].map((byte) => parseRoomId(new Uint8Array(16).fill(byte)));
const key = new Uint8Array(32).fill(9);

/** A directory in which carol's identity began with the invite of this key. */
function begunWith(inviteKey: Uint8Array): Directory {
  const invite = { key: inviteKey, proof: new Uint8Array(64) };
  return { user: (id: UserId) => (id === carol ? { invite } : undefined) } as unknown as Directory;
}

test("a room is owed once the identity begins anew with the invite, until it was kept, once", async () => {
  if (!general || !plans) throw new Error("no rooms");
  const store = new MemoryStore();
  const first = await PromisedRooms.open(store);
  await first.promise(carol, key, [general, plans]);
  const promised = await PromisedRooms.open(store);
  expect(promised.owedIn(general, begunWith(new Uint8Array(32)))).toEqual([]);
  expect(promised.owedIn(general, begunWith(key))).toEqual([carol]);
  await promised.kept(general, [carol]);
  expect(promised.owedIn(general, begunWith(key))).toEqual([]);
  expect((await PromisedRooms.open(store)).owedIn(plans, begunWith(key))).toEqual([carol]);
  await promised.kept(plans, [carol]);
  expect((await PromisedRooms.open(store)).owedIn(plans, begunWith(key))).toEqual([]);
});
