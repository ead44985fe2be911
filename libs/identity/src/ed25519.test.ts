import { fromHex, toHex } from "@sotto/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { generateEd25519, pkcs8OfSeed, signerFromSeed, verifyEd25519 } from "./ed25519.ts";

/** RFC 8032 section 7.1, test 3. */
const vector = {
  seed: fromHex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"),
  publicKey: fromHex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"),
  message: fromHex("af82"),
  signature: fromHex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  ),
};

test("a seed signs as RFC 8032 says", async () => {
  const signer = await signerFromSeed(vector.seed);
  expect(signer.publicKey).toEqual(vector.publicKey);
  expect(toHex(await signer.sign(vector.message))).toBe(toHex(vector.signature));
  expect(await verifyEd25519(vector.publicKey, vector.message, vector.signature)).toBe(true);
});

test("a new key pair is a new one, and its seed makes the same public key", async () => {
  const [one, other] = [await generateEd25519(), await generateEd25519()];
  expect(toHex(one.seed)).not.toBe(toHex(other.seed));
  expect((await signerFromSeed(one.seed)).publicKey).toEqual(one.publicKey);
});

test("a signature with any bit changed, of another message or by another key is none", async () => {
  const { publicKey, message, signature } = vector;
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 63 }), fc.nat({ max: 7 }), async (at, bit) => {
      const bad = signature.slice();
      bad[at] = (bad[at] ?? 0) ^ (1 << bit);
      expect(await verifyEd25519(publicKey, message, bad)).toBe(false);
    }),
  );
  expect(await verifyEd25519(publicKey, fromHex("af83"), signature)).toBe(false);
  const other = await generateEd25519();
  expect(await verifyEd25519(other.publicKey, message, signature)).toBe(false);
});

test("verifying never throws: keys and signatures of other lengths are false", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 70 }),
      fc.uint8Array({ maxLength: 70 }),
      fc.uint8Array({ maxLength: 70 }),
      async (key, message, signature) => {
        expect(await verifyEd25519(key, message, signature)).toBe(false);
      },
    ),
  );
});

test("a seed has 32 bytes", () => {
  for (const length of [0, 31, 33, 64])
    expect(() => pkcs8OfSeed(new Uint8Array(length))).toThrow(RangeError);
});

test("more keys than are kept in memory verify all the same", async () => {
  const { publicKey, message, signature } = vector;
  for (let i = 0; i < 2100; i++) {
    const other = new Uint8Array(32).map((_, at) => (at < 2 ? (i >> (8 * at)) & 0xff : 7));
    expect(await verifyEd25519(other, message, signature)).toBe(false);
  }
  expect(await verifyEd25519(publicKey, message, signature)).toBe(true);
});
