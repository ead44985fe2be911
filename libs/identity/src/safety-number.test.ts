import { createHash } from "node:crypto";
import { parseUserId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { safetyNumber } from "./safety-number.ts";

const alice = { user: parseUserId("01".repeat(16)), identityStart: "aa".repeat(32) };
const bob = { user: parseUserId("02".repeat(16)), identityStart: "bb".repeat(32) };
const origin = new Uint8Array(32).fill(9);

/** The definition, over Node's own SHA-512. */
function digitsOf({ user, identityStart }: typeof alice): string {
  const identity = Buffer.concat([
    Buffer.from("sotto-safety-v1\0"),
    Buffer.from(user, "hex"),
    Buffer.from(identityStart, "hex"),
    origin,
  ]);
  let hash: Buffer = identity;
  for (let i = 0; i < 1024; i++)
    hash = createHash("sha512")
      .update(Buffer.concat([hash, identity]))
      .digest();
  return [0, 5, 10, 15, 20, 25]
    .map((at) => String(hash.readUIntBE(at, 5) % 100_000).padStart(5, "0"))
    .join("");
}

test("both people read the same 60 digits, 30 for each of them", async () => {
  const number = await safetyNumber(alice, bob, origin);
  expect(number).toBe(digitsOf(alice) + digitsOf(bob));
  expect(await safetyNumber(bob, alice, origin)).toBe(number);
  expect(number).toMatch(/^\d{60}$/);
});

test("another chain, another person or another server changes the number", async () => {
  const number = await safetyNumber(alice, bob, origin);
  const others = [
    safetyNumber({ ...alice, identityStart: "ab".repeat(32) }, bob, origin),
    safetyNumber(alice, { ...bob, user: parseUserId("03".repeat(16)) }, origin),
    safetyNumber(alice, bob, new Uint8Array(32)),
  ];
  for (const other of others) expect(await other).not.toBe(number);
});
