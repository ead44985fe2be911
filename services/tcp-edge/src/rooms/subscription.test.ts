import { Turns } from "@sotto/actor";
import type { Incarnation, Log, LogRecord, ReadRequest, Sequence, Topic } from "@sotto/log";
import { parseDeviceId, parseRoomId } from "@sotto/protocol";
import { expect, it, vi } from "vitest";
import { Outbox } from "../connection/outbox.ts";
import type { RoomTail } from "./room-tail.ts";
import { Subscription } from "./subscription.ts";

const room = parseRoomId("03".repeat(16));
const topic = room as string as Topic;

function message(sequence: number): LogRecord {
  return {
    topic,
    kind: "m",
    sequence: sequence as Sequence,
    previous: sequence - 1,
    handshake: 1,
    data: new Uint8Array(40),
  };
}

/** A client that takes nothing, and rooms without an end. */
function setUp(outboxBytesMax: number, turns: Turns) {
  const overflowed = vi.fn();
  const wire = { bufferedBytes: 1, write: () => false, writePair: () => false };
  const outbox: Outbox = new Outbox({
    wire,
    bytesMax: outboxBytesMax,
    schedule: () => setImmediate(() => outbox.flush()),
    overflowed,
  });
  const read = vi.fn(async ({ after, limit }: ReadRequest) =>
    Array.from({ length: limit }, (_, index) => message(after + 1 + index)),
  );
  const subscribe = () =>
    new Subscription({
      log: { read } as unknown as Log,
      tail: {
        enter: () => undefined,
        leave: () => undefined,
        join: () => false,
        position: Number.MAX_SAFE_INTEGER,
      } as unknown as RoomTail,
      room,
      topic,
      incarnation: "00" as Incarnation,
      device: parseDeviceId("04".repeat(16)),
      outbox,
      turns,
      after: 1,
      outboxBytesMax,
      removed: () => undefined,
      failed: () => undefined,
      disposed: () => undefined,
    });
  return { overflowed, outbox, read, subscribe };
}

const aWhile = () => new Promise((resolve) => setTimeout(resolve, 20));

it("catching up on small records waits for a slow reader, and does not make it too slow", async () => {
  const { overflowed, outbox, read, subscribe } = setUp(400_000, new Turns(1));
  await using subscription = subscribe();
  subscription.begin();
  await vi.waitFor(() => expect(outbox.waitingBytes).toBeGreaterThan(200_000));
  await aWhile();
  expect(overflowed).not.toHaveBeenCalled();
  const pages = read.mock.calls.length;
  await aWhile();
  expect(read.mock.calls.length).toBe(pages);
  outbox.close();
});

it("catching up on many rooms holds a few pages, however many wait for a slow reader", async () => {
  const { overflowed, outbox, read, subscribe } = setUp(20_000, new Turns(2));
  const rooms = Array.from({ length: 50 }, subscribe);
  for (const subscription of rooms) subscription.begin();
  await aWhile();
  expect(read.mock.calls.length).toBeLessThanOrEqual(4);
  for (const [{ bytesMax }] of read.mock.calls) expect(bytesMax).toBeLessThanOrEqual(1024 * 1024);
  expect(overflowed).not.toHaveBeenCalled();
  const ended = Promise.all(rooms.map((subscription) => subscription[Symbol.asyncDispose]()));
  outbox.close();
  await ended;
});
