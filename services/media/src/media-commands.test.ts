import { ErrorCode, ObjectKind } from "@sotto/protocol";
import { expect, test } from "vitest";
import {
  alice,
  bob,
  mediaWorld,
  object,
  pieceBytes,
  refusedWith,
  sealed,
} from "../test/media-world.ts";

test("creating the same object again answers what stands, another one is refused", async () => {
  const { create, upload } = await mediaWorld();
  await create(2 * pieceBytes);
  await upload(sealed(2 * pieceBytes), 1);
  expect(await create(2 * pieceBytes)).toMatchObject({ value: { piecesDurable: 1 } });
  await expect(create(5)).rejects.toMatchObject(refusedWith(ErrorCode.OBJECT_EXISTS));
  const others = create(2 * pieceBytes, object, bob);
  await expect(others).rejects.toMatchObject(refusedWith(ErrorCode.OBJECT_EXISTS));
});

test("a part is named by 32 bytes, may be made by several, and is not listed", async () => {
  const { create, list, info } = await mediaWorld();
  const part = "0c".repeat(32);
  await create(10, part, alice, ObjectKind.PART);
  await create(10, part, bob, ObjectKind.PART);
  expect(await info(part)).toMatchObject({ kind: ObjectKind.PART });
  expect(await list()).toEqual({ objects: [], more: false });
  const mixed = create(10, part, alice, ObjectKind.FILE);
  await expect(mixed).rejects.toMatchObject(refusedWith(ErrorCode.BAD_REQUEST));
});

test.each([
  [0, ErrorCode.BAD_REQUEST],
  [pieceBytes + 1, ErrorCode.TOO_LARGE],
])("an object of %d bytes is refused", async (bytes, code) => {
  const { create } = await mediaWorld({ objectBytesMax: pieceBytes });
  await expect(create(bytes)).rejects.toMatchObject(refusedWith(code));
});

test("a listing goes by creation, then by id, page by page", async () => {
  const { create, list, clock } = await mediaWorld();
  const id = (byte: string) => byte.repeat(16);
  await create(10, id("f0"));
  await clock.advance(5);
  await create(10, id("e2"));
  await create(10, id("e1"));
  expect(await list("", 2)).toEqual({ objects: [id("f0"), id("e1")], more: true });
  expect(await list(id("e1"), 2)).toEqual({ objects: [id("e2")], more: false });
  await expect(list(id("99"))).rejects.toMatchObject(refusedWith(ErrorCode.UNKNOWN_OBJECT));
});

test("its owner deletes an object, nobody else, and no byte stays", async () => {
  const { blobs, create, upload, remove, list, info, read, put } = await mediaWorld();
  const data = sealed(2 * pieceBytes);
  await create(data.length);
  await upload(data);
  await expect(remove(bob)).rejects.toMatchObject(refusedWith(ErrorCode.FORBIDDEN));
  await remove(alice);
  await expect(info()).rejects.toMatchObject(refusedWith(ErrorCode.UNKNOWN_OBJECT));
  await expect(remove(alice)).rejects.toMatchObject(refusedWith(ErrorCode.UNKNOWN_OBJECT));
  await expect(read(0, 1)).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(put(0, data.subarray(0, pieceBytes))).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(await list()).toEqual({ objects: [], more: false });
  const left = [];
  for await (const blob of blobs.list("rooms/")) left.push(blob.key);
  expect(left).toEqual([]);
});

test("requests that are not for media, or are malformed, are refused", async () => {
  const { ask, create } = await mediaWorld();
  const foreign = ask({ case: "listRooms", value: {} });
  await expect(foreign).rejects.toMatchObject(refusedWith(ErrorCode.UNKNOWN_REQUEST));
  await expect(create(10, "0b")).rejects.toMatchObject(refusedWith(ErrorCode.BAD_REQUEST));
});
