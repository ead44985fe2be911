import { createHash } from "node:crypto";
import { fromHex, parseUserId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { directRoomId } from "./direct-room.ts";

const one = parseUserId("00".repeat(16));
const other = parseUserId("ff".repeat(16));

test("a direct conversation's id is the hash of its two users, whoever begins it", async () => {
  const expected = createHash("sha256")
    .update("sotto-dm-v1")
    .update(fromHex(one))
    .update(fromHex(other))
    .digest("hex");
  expect(await directRoomId(one, other)).toBe(expected);
  expect(await directRoomId(other, one)).toBe(expected);
});

test("other people have another one", async () => {
  const third = parseUserId("7f".repeat(16));
  const ids = await Promise.all([
    directRoomId(one, other),
    directRoomId(one, third),
    directRoomId(other, third),
  ]);
  expect(new Set(ids).size).toBe(3);
});
