import { expect, test } from "vitest";
import {
  hourMs,
  idleFor,
  mediaWorld,
  object,
  pieceBytes,
  room,
  sealed,
} from "../test/media-world.ts";

test("an upload that got no piece for 24 h is collected, one that goes on is not", async () => {
  const { clock, create, upload, put, list } = await mediaWorld();
  const [stuck, moving, done] = ["01", "02", "03"].map((byte) => byte.repeat(16));
  for (const id of [stuck, moving, done]) await create(2 * pieceBytes, id);
  const data = sealed(2 * pieceBytes);
  await upload(data, 1, stuck);
  await upload(data, 2, done);
  for (let hour = 0; hour < 20; hour++) await idleFor(clock, hourMs);
  await put(0, data.subarray(0, pieceBytes), moving);
  for (let hour = 0; hour < 6; hour++) await idleFor(clock, hourMs);
  expect((await list()).objects.toSorted()).toEqual([moving, done]);
});

test("what a deletion left behind when it was cut short is collected", async () => {
  const { blobs, clock, create, upload } = await mediaWorld();
  await create(2 * pieceBytes);
  await upload(sealed(2 * pieceBytes));
  await blobs.delete(`rooms/${room}/files/${object}`);
  await idleFor(clock, hourMs);
  const left = [];
  for await (const blob of blobs.list("rooms/")) left.push(blob.key);
  expect(left).toEqual([]);
});
