import { parseRoomId, parseUserId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { RecentChanges } from "./recent-changes.ts";

const users = [parseUserId("01".repeat(16))];
const change = (handshake: number, room = "0a") => ({
  room: parseRoomId(room.repeat(16)),
  handshake,
  users,
});

test("changes come once, in the order in which they were heard", () => {
  const changes = new RecentChanges(10);
  const { incarnation } = changes;
  for (const one of [change(7), change(5), change(7), change(5, "0b"), change(5)]) changes.add(one);
  const all = [change(7), change(5), change(5, "0b")];
  expect(changes.since(incarnation, 0)).toEqual({ cursor: 3, changes: all });
  expect(changes.since(incarnation, 2)).toEqual({ cursor: 3, changes: all.slice(2) });
  expect(changes.since(incarnation, 3)).toEqual({ cursor: 3, changes: [] });
});

test("a cursor of another life, too old, or from the future knows nothing", () => {
  const changes = new RecentChanges(2);
  const { incarnation } = changes;
  for (let at = 1; at <= 3; at++) changes.add(change(at));
  expect(changes.since(incarnation, 0).changes).toBeUndefined();
  expect(changes.since(incarnation, 1).changes).toEqual([change(2), change(3)]);
  expect(changes.since(incarnation, 4).changes).toBeUndefined();
  expect(changes.since(new Uint8Array(16), 3).changes).toBeUndefined();
  expect(changes.since(new Uint8Array(), 3).changes).toBeUndefined();
  changes.renew();
  expect(changes.since(incarnation, 3).changes).toBeUndefined();
  expect(changes.since(changes.incarnation, 3).changes).toEqual([]);
});
