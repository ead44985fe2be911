import { ManualClock } from "@sotto/clock";
import type { MediaLink } from "@sotto/media-link";
import { ErrorCode, parseObjectId, parseRoomId, parseUserId, type UserId } from "@sotto/protocol";
import { expect, it, vi } from "vitest";
import { ByteBudget } from "../byte-budget.ts";
import { Uploads } from "./uploads.ts";

const user = parseUserId("11".repeat(16));
const request = {
  room: parseRoomId("22".repeat(16)),
  object: parseObjectId("33".repeat(16)),
  piece: 0,
  bytes: 4,
  allowed: Promise.resolve(),
};

function setUp() {
  const clock = new ManualClock();
  const stalled = vi.fn();
  const putPiece = vi.fn(async () => ({ piecesDurable: 1 }));
  const budget = new ByteBudget<UserId>(1000, 10);
  const uploads = new Uploads({
    link: { putPiece } as unknown as MediaLink,
    clock,
    budget,
    user: () => user,
    bytesWithinMs: 1000,
    stalled,
  });
  return { clock, stalled, putPiece, budget, uploads };
}

it("a user's pieces take no more than the user's share of the memory", async () => {
  const { budget, uploads } = setUp();
  uploads.begin(1, request);
  uploads.begin(2, request);
  expect(() => uploads.begin(3, request)).toThrow(
    expect.objectContaining({ code: ErrorCode.BUSY }),
  );
  uploads.fill(1, new Uint8Array(4));
  expect(await uploads.finish(1)).toBe(1);
  uploads.begin(3, request);
  uploads.dropAll();
  expect(budget.takenBytes).toBe(0);
});

it("a piece of which nothing comes any more is dropped, and one that comes slowly is not", async () => {
  const { clock, stalled, budget, uploads } = setUp();
  uploads.begin(1, request);
  uploads.begin(2, request);
  for (let byte = 0; byte < 3; byte++) {
    await clock.advance(600);
    uploads.fill(2, new Uint8Array(1));
  }
  expect(stalled.mock.calls).toEqual([[1]]);
  expect(budget.takenBytes).toBe(4);
  uploads.fill(2, new Uint8Array(1));
  const finished = uploads.finish(2);
  await clock.advance(5000);
  expect(await finished).toBe(1);
  expect(stalled).toHaveBeenCalledTimes(1);
  expect(budget.takenBytes).toBe(0);
});
