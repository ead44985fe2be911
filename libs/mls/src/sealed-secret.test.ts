import { createDecipheriv, createHmac } from "node:crypto";
import { XWing } from "@hpke/hybridkem-x-wing";
import { expect, test } from "vitest";
import { engines } from "../test/engines.ts";
import vector from "../vectors/sealed-secret.json" with { type: "json" };
import { generateSealingKey, openSealed, sealingKeyOf, sealTo } from "./index.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const unhex = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

test("what is sealed to a key opens with it, and for its purpose only", async () => {
  const [own, other] = await Promise.all([generateSealingKey(), generateSealingKey()]);
  const sealed = await sealTo(own.publicKey, "archive-key", bytes("secret"));
  expect(await openSealed(own, "archive-key", sealed)).toEqual(bytes("secret"));
  await expect(openSealed(own, "again", sealed)).rejects.toMatchObject({ code: "BAD_MESSAGE" });
  await expect(openSealed(other, "archive-key", sealed)).rejects.toMatchObject({
    code: "BAD_MESSAGE",
  });
});

test("a byte that changed, a cut and an empty text are refused", async () => {
  const own = await generateSealingKey();
  const sealed = await sealTo(own.publicKey, "p", bytes("secret"));
  for (const at of [0, 1100, 1119, 1120, sealed.length - 1]) {
    const altered = sealed.slice();
    altered[at] = (altered[at] ?? 0) ^ 1;
    await expect(openSealed(own, "p", altered)).rejects.toMatchObject({ code: "BAD_MESSAGE" });
  }
  for (const cut of [sealed.subarray(0, -1), sealed.subarray(0, 1135), new Uint8Array()])
    await expect(openSealed(own, "p", cut)).rejects.toMatchObject({ code: "BAD_MESSAGE" });
});

test("a public key serves any number of times, and no argument is changed by use", async () => {
  const own = await generateSealingKey();
  // Views into a larger buffer, as they come out of decoded messages.
  const whole = new Uint8Array([7, ...own.publicKey, 7]);
  const view = whole.subarray(1, -1);
  const before = [whole.slice(), own.privateKey.slice()];
  const sealed = [];
  for (let i = 0; i < 3; i++) sealed.push(await sealTo(view, "p", bytes(`secret ${i}`)));
  for (const [i, one] of sealed.entries()) {
    const kept = one.slice();
    expect(await openSealed(own, "p", one)).toEqual(bytes(`secret ${i}`));
    expect(one).toEqual(kept);
  }
  expect([whole, own.privateKey]).toEqual(before);
  expect(sealed[0]).not.toEqual(await sealTo(own.publicKey, "p", bytes("secret 0")));
});

test("bytes that came in Node's buffers, as received ones do, are sealed and opened all the same", async () => {
  const own = await generateSealingKey();
  const publicKey = Buffer.concat([Buffer.alloc(3), own.publicKey]).subarray(3);
  const privateKey = Buffer.concat([Buffer.alloc(3), own.privateKey]).subarray(3);
  const secret = Buffer.from("..secret").subarray(2);
  const sealed = Buffer.concat([Buffer.alloc(5), await sealTo(publicKey, "p", secret)]).subarray(5);
  expect(await openSealed({ privateKey }, "p", sealed)).toEqual(bytes("secret"));
  expect((await sealingKeyOf(privateKey)).publicKey).toEqual(own.publicKey);
});

test("a key that is none, and what is too large, are refused", async () => {
  const own = await generateSealingKey();
  await expect(sealTo(own.publicKey.subarray(1), "p", bytes("x"))).rejects.toMatchObject({
    code: "BAD_MESSAGE",
  });
  await expect(sealTo(own.publicKey, "p", new Uint8Array(1024 * 1024 + 1))).rejects.toMatchObject({
    code: "TOO_LARGE",
  });
  await expect(sealingKeyOf(new Uint8Array(31))).rejects.toBeInstanceOf(RangeError);
});

test("the stored vector opens: what was sealed by earlier versions stays readable", async () => {
  const key = await sealingKeyOf(unhex(vector.privateKey));
  expect(Buffer.from(key.publicKey).toString("hex")).toBe(vector.publicKey);
  expect(await openSealed(key, vector.purpose, unhex(vector.sealed))).toEqual(
    unhex(vector.plaintext),
  );
});

test("the vector opens by RFC 9180 alone, written out", async () => {
  const sealed = unhex(vector.sealed);
  const kem = new XWing();
  const recipientKey = await kem.deserializePrivateKey(unhex(vector.privateKey).buffer);
  const secret = new Uint8Array(
    await kem.decap({ recipientKey, enc: sealed.slice(0, 1120).buffer }),
  );
  const suiteId = Buffer.from([...bytes("HPKE"), 0x64, 0x7a, 0, 1, 0, 2]);
  const hmac = (key: Uint8Array, ...parts: Uint8Array[]) =>
    createHmac("sha256", key).update(Buffer.concat(parts)).digest();
  const extract = (salt: Uint8Array, label: string, ikm: Uint8Array) =>
    hmac(salt, bytes("HPKE-v1"), suiteId, bytes(label), ikm);
  const expand = (prk: Uint8Array, label: string, info: Uint8Array, length: number) =>
    hmac(
      prk,
      Uint8Array.of(0, length),
      bytes("HPKE-v1"),
      suiteId,
      bytes(label),
      info,
      Uint8Array.of(1),
    ).subarray(0, length);
  const none = new Uint8Array(0);
  const context = Buffer.concat([
    Uint8Array.of(0),
    extract(none, "psk_id_hash", none),
    extract(none, "info_hash", bytes(`sotto-seal-v1\0${vector.purpose}`)),
  ]);
  const prk = extract(secret, "secret", none);
  const aead = createDecipheriv(
    "aes-256-gcm",
    expand(prk, "key", context, 32),
    expand(prk, "base_nonce", context, 12),
  );
  aead.setAuthTag(sealed.subarray(-16));
  const opened = Buffer.concat([aead.update(sealed.subarray(1120, -16)), aead.final()]);
  expect(opened.toString("hex")).toBe(vector.plaintext);
});

test("whatever engine seals, every other one opens", async () => {
  const own = await generateSealingKey();
  for (const one of engines)
    for (const other of engines) {
      const sealed = await sealTo(own.publicKey, "p", bytes(one.name), one);
      expect(await openSealed(own, "p", sealed, other)).toEqual(bytes(one.name));
    }
});
