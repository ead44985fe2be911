import { describe, expect, test } from "vitest";
import type { CryptoEngine, HashName } from "./crypto-engine.ts";
import { hkdf } from "./hkdf.ts";

const fromHex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const text = (value: string) => new TextEncoder().encode(value);
const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const changed = (bytes: Uint8Array, at: number) =>
  bytes.map((byte, i) => (i === at ? byte ^ 0x10 : byte));
const call = async <Value>(task: () => Value | Promise<Value>) => await task();

/** Points of low order: what is agreed with them is zero whoever asks (RFC 7748 section 6.1). */
const lowOrder = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/** The law of the `CryptoEngine` port: every engine runs it. Its values are those of the standards named. */
export function describeCryptoEngine(engine: CryptoEngine): void {
  describe(`${engine.name} obeys the law of CryptoEngine:`, () => {
    test("hashes and HMACs are those of FIPS 180-4 and RFC 4231", async () => {
      expect(toHex(await engine.digest("SHA-256", text("abc")))).toBe(
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      );
      expect(toHex(await engine.digest("SHA-512", text("abc")))).toMatch(
        /^ddaf35a193617abacc417349/,
      );
      const key = new Uint8Array(20).fill(0x0b);
      expect(toHex(await engine.hmac("SHA-256", key, text("Hi There")))).toBe(
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      );
      const long = new Uint8Array(131).fill(0xaa);
      const message = text("Test Using Larger Than Block-Size Key - Hash Key First");
      expect(toHex(await engine.hmac("SHA-256", long, message))).toBe(
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      );
      expect(toHex(await engine.hmac("SHA-512", long, message))).toMatch(
        /^80b24263c7c1a3ebb71493c1/,
      );
    });

    test.each(["SHA-256", "SHA-512"] as const)(
      "%s: HMAC is right for every length of key and data",
      async (hash) => {
        const { createHmac } = await import("node:crypto");
        for (const keyBytes of [0, 1, 63, 64, 65, 127, 128, 129, 200])
          for (const dataBytes of [0, 1, 111, 112, 2048, 2049, 70_000]) {
            const key = random(keyBytes);
            const data = new Uint8Array(dataBytes).fill(keyBytes);
            const name = hash === "SHA-256" ? "sha256" : "sha512";
            const right = createHmac(name, key).update(data).digest("hex");
            expect(toHex(await engine.hmac(hash, key, data))).toBe(right);
          }
      },
    );

    test("HKDF is that of RFC 5869, and stops at 255 blocks", async () => {
      const kdf = hkdf(engine, "SHA-256");
      const prk = await kdf.extract(
        fromHex("000102030405060708090a0b0c"),
        new Uint8Array(22).fill(11),
      );
      expect(toHex(prk)).toBe("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
      expect(toHex(await kdf.expand(prk, fromHex("f0f1f2f3f4f5f6f7f8f9"), 42))).toBe(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
      );
      await expect(kdf.expand(prk, text(""), 255 * 32)).resolves.toHaveLength(8160);
      await expect(kdf.expand(prk, text(""), 255 * 32 + 1)).rejects.toBeInstanceOf(RangeError);
    });

    test("AES-GCM is that of NIST SP 800-38D, with both lengths of key", async () => {
      const key = fromHex("feffe9928665731c6d6a8f9467308308");
      const nonce = fromHex("cafebabefacedbaddecaf888");
      const plaintext = fromHex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
      );
      const additional = fromHex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
      const sealed = await engine.seal(key, nonce, additional, plaintext);
      expect(toHex(sealed).slice(-32)).toBe("5bc94fbc3221a5db94fae95ae7121a47");
      const long = fromHex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
      const other = await engine.seal(long, nonce, additional, plaintext);
      expect(toHex(other).slice(-32)).toBe("76fc6ece0f4e1768cddf8853bb2d551b");
      expect(await engine.open(long, nonce, additional, other)).toEqual(plaintext);
    });

    test("nothing altered, shortened or with other data beside it is opened", async () => {
      const [key, nonce, additional] = [random(32), random(12), text("beside")];
      const sealed = await engine.seal(key, nonce, additional, text("a message"));
      const refused = (sealedBytes: Uint8Array, k = key, n = nonce, a = additional) =>
        expect(call(() => engine.open(k, n, a, sealedBytes))).rejects.toBeInstanceOf(Error);
      for (let at = 0; at < sealed.length; at++) await refused(changed(sealed, at));
      for (const length of [0, 1, 15, 16, sealed.length - 1])
        await refused(sealed.slice(0, length));
      await refused(sealed, changed(key, 3));
      await refused(sealed, key, changed(nonce, 3));
      await refused(sealed, key, nonce, text("Beside"));
      await refused(sealed, key.slice(0, 24));
      await refused(sealed, key, nonce.slice(0, 11));
      expect(await engine.open(key, nonce, additional, sealed)).toEqual(text("a message"));
      const empty = await engine.seal(key, nonce, text(""), text(""));
      expect(await engine.open(key, nonce, text(""), empty)).toEqual(text(""));
    });

    test("Ed25519 is that of RFC 8032, and what is wrong is false, never a throw", async () => {
      const seed = fromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
      const publicKey = await engine.signaturePublicKeyOf(seed);
      expect(toHex(publicKey)).toBe(
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      );
      const signature = await engine.sign(seed, Uint8Array.of(0x72));
      expect(toHex(signature)).toMatch(
        /^92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da/,
      );
      const verify = async (k: Uint8Array, m: Uint8Array, s: Uint8Array) =>
        await engine.verify(k, m, s);
      expect(await verify(publicKey, Uint8Array.of(0x72), signature)).toBe(true);
      expect(await verify(publicKey, Uint8Array.of(0x73), signature)).toBe(false);
      for (let at = 0; at < 64; at += 7)
        expect(await verify(publicKey, Uint8Array.of(0x72), changed(signature, at))).toBe(false);
      expect(await verify(changed(publicKey, 1), Uint8Array.of(0x72), signature)).toBe(false);
      expect(await verify(publicKey.slice(1), Uint8Array.of(0x72), signature)).toBe(false);
      expect(await verify(publicKey, Uint8Array.of(0x72), signature.slice(1))).toBe(false);
      expect(await verify(text(""), text(""), text(""))).toBe(false);
      await expect(call(() => engine.sign(seed.slice(1), text("")))).rejects.toBeInstanceOf(Error);
      // The second half, raised by the order of the group, is the same number: strict verifiers refuse it.
      expect(await verify(publicKey, Uint8Array.of(0x72), raised(signature))).toBe(false);
    });

    test("X25519 is that of RFC 7748, and a point of low order is refused", async () => {
      const alice = random(32);
      const { x25519 } = engine;
      const bob = random(32);
      const bobPublic = await x25519.publicKeyOf(bob);
      expect(await x25519.agree(alice, bobPublic)).toEqual(
        await x25519.agree(bob, await x25519.publicKeyOf(alice)),
      );
      const known = fromHex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
      const point = fromHex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
      expect(toHex(await x25519.agree(known, point))).toBe(
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
      );
      for (const low of lowOrder)
        await expect(call(() => x25519.agree(bob, fromHex(low)))).rejects.toBeInstanceOf(Error);
      await expect(call(() => x25519.agree(bob, bobPublic.slice(1)))).rejects.toBeInstanceOf(Error);
    });

    test("X-Wing carries a secret to the owner of the key alone, and is repeatable", async () => {
      const { xWing } = engine;
      const seed = fromHex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26");
      const publicKey = await xWing.publicKeyOf(seed);
      // The first of the draft's test vectors.
      expect(toHex(publicKey).slice(0, 64)).toBe(
        "e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5",
      );
      expect(publicKey).toHaveLength(1216);
      const { sharedSecret, encapsulated } = await xWing.encapsulate(publicKey);
      expect(encapsulated).toHaveLength(1120);
      expect(await xWing.decapsulate(seed, encapsulated)).toEqual(sharedSecret);
      expect(await xWing.encapsulate(publicKey), "the public key is not used up").toBeDefined();
      const other = await xWing.decapsulate(seed, changed(encapsulated, 5));
      expect(other).not.toEqual(sharedSecret);
      expect(await xWing.decapsulate(changed(seed, 0), encapsulated)).not.toEqual(sharedSecret);
      const refused = (task: () => unknown) => expect(call(task)).rejects.toBeInstanceOf(Error);
      await refused(() => xWing.encapsulate(publicKey.slice(1)));
      await refused(() => xWing.encapsulate(new Uint8Array(1216).fill(0xff)));
      await refused(() => xWing.decapsulate(seed, encapsulated.slice(1)));
      await refused(() => xWing.decapsulate(seed.slice(1), encapsulated));
      expect(await xWing.seedOf(text("material"))).toHaveLength(32);
    });

    test("the bytes that it is given stay as they are, and the same call gives the same", async () => {
      const hash: HashName = "SHA-512";
      const inputs = [random(32), random(12), random(20), random(100)] as const;
      const copies = inputs.map((bytes) => bytes.slice());
      const data = inputs[3];
      const once = await all(inputs);
      expect(await all(inputs)).toEqual(once);
      // As they come out of larger messages, and in Node's buffers, whose slices are views.
      const views = inputs.map((bytes) => new Uint8Array([7, ...bytes, 7]).subarray(1, -1));
      expect(await all(views)).toEqual(once);
      expect(await all(views.map((bytes) => Buffer.from(bytes)))).toEqual(once);
      expect(inputs.map((bytes) => bytes.slice())).toEqual(copies);
      for (const bytes of once) expect(bytes.constructor).toBe(Uint8Array);

      async function all(given: readonly Uint8Array[]): Promise<Uint8Array[]> {
        const [key = data, nonce = data, additional = data, text = data] = given;
        return [
          await engine.digest(hash, text),
          await engine.hmac(hash, key, text),
          await engine.seal(key, nonce, additional, text),
          await engine.sign(key, text),
          await engine.signaturePublicKeyOf(key),
          await engine.x25519.publicKeyOf(key),
          await engine.xWing.publicKeyOf(key),
          await engine.xWing.seedOf(text),
        ];
      }
    });

    test("random bytes have the length asked for and differ", () => {
      expect(engine.randomBytes(0)).toHaveLength(0);
      expect(engine.randomBytes(32)).not.toEqual(engine.randomBytes(32));
    });
  });
}

const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

/** A signature with its number S raised by the order of the group. */
function raised(signature: Uint8Array): Uint8Array {
  let number = groupOrder;
  for (let i = 63; i >= 32; i--) number += BigInt(signature[i] ?? 0) << BigInt(8 * (i - 32));
  const made = signature.slice();
  for (let i = 32; i < 64; i++) made[i] = Number((number >> BigInt(8 * (i - 32))) & 0xffn);
  return made;
}
