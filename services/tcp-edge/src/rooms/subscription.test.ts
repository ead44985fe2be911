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

it("catching up on small records waits for a slow reader, and does not make it too slow", async () => {
  const outboxBytesMax = 400_000;
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
  await using subscription = new Subscription({
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
    after: 1,
    outboxBytesMax,
    removed: () => undefined,
    failed: () => undefined,
    disposed: () => undefined,
  });
  subscription.begin();
  await vi.waitFor(() => expect(outbox.waitingBytes).toBeGreaterThan(outboxBytesMax / 4));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(overflowed).not.toHaveBeenCalled();
  const pages = read.mock.calls.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(read.mock.calls.length).toBe(pages);
  outbox.close();
});
