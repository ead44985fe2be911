import type { Roster } from "@sotto/identity";
import type { Incarnation, Log, LogRecord, Sequence, Topic } from "@sotto/log";
import { parseDeviceId, parseRoomId } from "@sotto/protocol";
import { expect, it } from "vitest";
import type { FollowRequest } from "./follow.ts";
import { RecentMemory } from "./recent-memory.ts";
import { RoomTail, type TailReader } from "./room-tail.ts";

const room = parseRoomId("03".repeat(16));
const device = parseDeviceId("04".repeat(16));
const roster = { room, foldedTo: 1, devices: new Map([[device, { device, entered: 1 }]]) };

function message(sequence: number): LogRecord {
  return {
    topic: room as string as Topic,
    kind: "m",
    sequence: sequence as Sequence,
    previous: sequence - 1,
    handshake: 1,
    data: new Uint8Array(4),
  };
}

function setUp(start: number) {
  let request: FollowRequest | undefined;
  const tail = new RoomTail({
    log: {} as Log,
    follow(asked) {
      request = asked;
      return { poke: () => undefined, [Symbol.dispose]: () => undefined };
    },
    room,
    topic: room as string as Topic,
    incarnation: "00" as Incarnation,
    roster: roster as unknown as Roster,
    start,
    recentRecordsMax: 4,
    recentBytesMax: 1_000_000,
    recentMemory: new RecentMemory(1_000_000),
    folded: () => undefined,
    delivered: () => undefined,
  });
  return { tail, come: (sequence: number) => request?.deliver(message(sequence)), request };
}

function reader(): TailReader & { readonly heard: number[]; failure?: unknown } {
  const heard: number[] = [];
  return {
    device,
    heard,
    deliver: ({ sequence }) => void heard.push(sequence),
    removed: () => undefined,
    failed(error) {
      this.failure = error;
    },
  };
}

it("a reader who is ahead of the tail hears nothing twice", () => {
  const { tail, come } = setUp(10);
  const ahead = reader();
  tail.enter(ahead);
  expect(tail.join(ahead, 12)).toBe(true);
  for (const sequence of [11, 12, 13]) come(sequence);
  expect(ahead.heard).toEqual([13]);
});

it("a reader who is a little behind gets what it missed at once, and one far behind must read", () => {
  const { tail, come } = setUp(10);
  for (const sequence of [11, 12, 13, 14, 15, 16]) come(sequence);
  const near = reader();
  tail.enter(near);
  expect(tail.join(near, 13)).toBe(true);
  expect(near.heard).toEqual([14, 15, 16]);
  const far = reader();
  tail.enter(far);
  expect(tail.join(far, 11)).toBe(false);
  come(17);
  expect(near.heard.at(-1)).toBe(17);
  expect(far.heard).toEqual([]);
});

it("a tail that failed tells its readers, and who waits for a sequence is woken by it", async () => {
  const { tail, come, request } = setUp(10);
  const stop = new AbortController();
  const reached = tail.reach(12, stop.signal);
  come(11);
  come(12);
  await reached;
  const waiting = reader();
  tail.enter(waiting);
  const error = new Error("gone");
  request?.failed(error);
  expect(waiting.failure).toBe(error);
  expect(tail.failure).toBe(error);
  const late = tail.reach(99, stop.signal);
  stop.abort();
  await late;
});
