import { BlobStoreError } from "@sotto/blobs";
import { ErrorCode } from "@sotto/protocol";
import { expect, test } from "vitest";
import { mediaWorld, pieceBytes, refusedWith, sealed, startOver } from "../test/media-world.ts";

test("an object is uploaded piece by piece, and told complete when all its bytes are there", async () => {
  const { create, put, info } = await mediaWorld();
  const data = sealed(2 * pieceBytes + 10);
  expect(await create(data.length)).toMatchObject({
    case: "objectInfo",
    value: { piecesDurable: 0, complete: false, sealedBytes: BigInt(data.length) },
  });
  expect(await put(0, data.subarray(0, pieceBytes))).toEqual({ piecesDurable: 1 });
  expect(await put(1, data.subarray(pieceBytes, 2 * pieceBytes))).toEqual({ piecesDurable: 2 });
  expect(await info()).toMatchObject({ piecesDurable: 2, complete: false });
  expect(await put(2, data.subarray(2 * pieceBytes))).toEqual({ piecesDurable: 3 });
  expect(await info()).toMatchObject({ piecesDurable: 3, complete: true });
});

test("pieces are taken in order only, and get_object tells the next", async () => {
  const { create, put, info } = await mediaWorld();
  await create(3 * pieceBytes);
  const piece = sealed(pieceBytes);
  await expect(put(1, piece)).rejects.toMatchObject({ code: "OUT_OF_ORDER" });
  await put(0, piece);
  await expect(put(2, piece)).rejects.toMatchObject({ code: "OUT_OF_ORDER" });
  expect(await info()).toMatchObject({ piecesDurable: 1 });
});

test("the same piece again is no error, other bytes are a conflict", async () => {
  const { create, put } = await mediaWorld();
  await create(2 * pieceBytes);
  const piece = sealed(pieceBytes);
  await put(0, piece);
  expect(await put(0, piece)).toEqual({ piecesDurable: 1 });
  await expect(put(0, piece.toReversed())).rejects.toMatchObject({ code: "CONFLICT" });
});

test.each([
  ["too large", 0, pieceBytes + 1, "TOO_LARGE"],
  ["too small", 0, pieceBytes - 1, "BAD_RANGE"],
  ["a last one that is too large", 1, 11, "TOO_LARGE"],
  ["beyond the object's end", 2, 10, "BAD_RANGE"],
])("a piece that is %s is refused", async (_title, piece, bytes, code) => {
  const { create, put } = await mediaWorld();
  await create(pieceBytes + 10);
  await put(0, sealed(pieceBytes));
  await expect(put(piece, sealed(bytes))).rejects.toMatchObject({ code });
});

test("pieces of an object that nobody created are refused", async () => {
  const { put } = await mediaWorld();
  await expect(put(0, sealed(pieceBytes))).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("an interrupted upload goes on after a restart where it was durable", async () => {
  const first = await mediaWorld();
  const data = sealed(4 * pieceBytes + 1);
  await first.create(data.length);
  await first.upload(data, 2);
  const second = await startOver(first.blobs);
  expect(await second.create(data.length)).toMatchObject({ value: { piecesDurable: 2 } });
  for (const piece of [2, 3, 4]) {
    await second.put(piece, data.subarray(piece * pieceBytes, (piece + 1) * pieceBytes));
  }
  expect(await second.read(0, data.length)).toEqual(data);
});

test("pieces beyond the bound are refused, and what was taken is stored", async () => {
  const { blobs, create, put, info } = await mediaWorld({ piecesInFlightPerObjectMax: 2 });
  await create(3 * pieceBytes);
  const { promise: gate, resolve } = Promise.withResolvers<void>();
  const putBlob = blobs.put.bind(blobs);
  blobs.put = async (key, data) => {
    await gate;
    await putBlob(key, data);
  };
  const piece = sealed(pieceBytes);
  const taken = [put(0, piece), put(1, piece)];
  await expect(put(2, piece)).rejects.toMatchObject({ code: "BUSY" });
  resolve();
  await Promise.all(taken);
  expect(await info()).toMatchObject({ piecesDurable: 2 });
});

test("uploads of one piece at the same time are one upload", async () => {
  const { create, put, info } = await mediaWorld();
  await create(2 * pieceBytes);
  const piece = sealed(pieceBytes);
  await Promise.all([put(0, piece), put(0, piece), put(1, piece)]);
  expect(await info()).toMatchObject({ piecesDurable: 2, complete: true });
});

test("replicas over one store see each other's pieces", async () => {
  const first = await mediaWorld();
  const second = await startOver(first.blobs);
  const data = sealed(3 * pieceBytes);
  await first.create(data.length);
  await first.upload(data, 1);
  await second.put(1, data.subarray(pieceBytes, 2 * pieceBytes));
  await first.put(2, data.subarray(2 * pieceBytes));
  expect(await second.info()).toMatchObject({ complete: true });
  expect(await second.read(0, data.length)).toEqual(data);
});

test("a full store refuses, and takes the same piece when there is room again", async () => {
  const { blobs, create, put } = await mediaWorld();
  await create(pieceBytes);
  const putBlob = blobs.put.bind(blobs);
  blobs.put = async () => {
    throw new BlobStoreError("FULL", "no space");
  };
  await expect(put(0, sealed(pieceBytes))).rejects.toMatchObject({ code: "FULL" });
  const other = create(10, "0d".repeat(16));
  await expect(other).rejects.toMatchObject(refusedWith(ErrorCode.STORAGE_FULL));
  blobs.put = putBlob;
  expect(await put(0, sealed(pieceBytes))).toEqual({ piecesDurable: 1 });
});
