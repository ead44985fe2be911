import {
  Aes128Gcm,
  Aes256Gcm,
  CipherSuite,
  DhkemX25519HkdfSha256,
  HkdfSha256,
  HkdfSha512,
} from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { CryptoEngine } from "../src/engine/crypto-engine.ts";
import { hpkeOf } from "../src/engine/hpke.ts";
import { kemOf } from "../src/engine/kem.ts";
import { engines } from "./engines.ts";
import { people, suites } from "./people.ts";

const text = (value: string) => new TextEncoder().encode(value);
const buffer = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;
const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
const [first, ...others] = engines as [CryptoEngine, ...CryptoEngine[]];

test("every engine gives the same bytes for the same bytes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("SHA-256", "SHA-512"),
      fc.constantFrom(16, 32).chain((length) => bytes(length)),
      bytes(32),
      bytes(12),
      bytes(0, 300),
      bytes(0, 3000),
      async (hash, key, seed, nonce, additional, data) => {
        const all = (engine: CryptoEngine) =>
          Promise.all([
            engine.digest(hash as "SHA-256", data),
            engine.hmac(hash as "SHA-256", additional, data),
            engine.seal(key, nonce, additional, data),
            engine.sign(seed, data),
            engine.signaturePublicKeyOf(seed),
            engine.x25519.publicKeyOf(seed),
            engine.xWing.publicKeyOf(seed),
            engine.xWing.seedOf(data),
            kemOf(engine, "DHKEM-X25519-HKDF-SHA256").deriveKeyPair(data),
          ]);
        const right = await all(first);
        for (const engine of others) expect(await all(engine)).toEqual(right);
      },
    ),
    { numRuns: 60 },
  );
});

test("what one engine seals, signs or encapsulates, every other one opens", async () => {
  for (const one of engines)
    for (const other of engines) {
      const seed = one.randomBytes(32);
      const [key, nonce] = [one.randomBytes(32), one.randomBytes(12)];
      const sealed = await one.seal(key, nonce, text("beside"), text("inside"));
      expect(await other.open(key, nonce, text("beside"), sealed)).toEqual(text("inside"));
      const publicKey = await other.signaturePublicKeyOf(seed);
      expect(await other.verify(publicKey, text("a"), await one.sign(seed, text("a")))).toBe(true);
      for (const kem of ["X-Wing", "DHKEM-X25519-HKDF-SHA256"] as const) {
        const [ours, theirs] = [kemOf(one, kem), kemOf(other, kem)];
        const pair = await theirs.generateKeyPair();
        const { sharedSecret, encapsulated } = await ours.encapsulate(pair.publicKey);
        expect(await theirs.decapsulate(pair.privateKey, encapsulated)).toEqual(sharedSecret);
      }
    }
});

test("an altered X-Wing ciphertext gives every engine the same other secret", async () => {
  const seed = first.randomBytes(32);
  const { encapsulated } = await first.xWing.encapsulate(await first.xWing.publicKeyOf(seed));
  for (const at of [0, 500, 1087]) {
    const altered = encapsulated.map((byte, i) => (i === at ? byte ^ 1 : byte));
    const right = await first.xWing.decapsulate(seed, altered);
    for (const engine of others)
      expect(await engine.xWing.decapsulate(seed, altered)).toEqual(right);
  }
});

test.each(suites)(
  "%s: HPKE is that of @hpke/core, both ways, and so are its exports",
  async (suite) => {
    const [kem, kdf, aead] =
      suite === "x-wing"
        ? [new XWing(), new HkdfSha512(), new Aes256Gcm()]
        : [new DhkemX25519HkdfSha256(), new HkdfSha256(), new Aes128Gcm()];
    const reference = new CipherSuite({ kem, kdf, aead });
    for (const engine of engines) {
      const ours = hpkeOf(engine, {
        kem: suite === "x-wing" ? "X-Wing" : "DHKEM-X25519-HKDF-SHA256",
        hash: suite === "x-wing" ? "SHA-512" : "SHA-256",
        aead: suite === "x-wing" ? "AES256GCM" : "AES128GCM",
      });
      const material = engine.randomBytes(32);
      const pair = await ours.kem.deriveKeyPair(material);
      const theirs = await kem.deriveKeyPair(buffer(material));
      expect(new Uint8Array(await kem.serializePublicKey(theirs.publicKey))).toEqual(
        pair.publicKey,
      );
      const [info, additional, plaintext] = [text("info"), text("beside"), text("inside")];
      const sealed = await ours.seal(pair.publicKey, info, additional, plaintext);
      const opened = await reference.open(
        { recipientKey: theirs.privateKey, enc: buffer(sealed.encapsulated), info: buffer(info) },
        buffer(sealed.ciphertext),
        buffer(additional),
      );
      expect(new Uint8Array(opened)).toEqual(plaintext);
      const recipientPublicKey = theirs.publicKey;
      const { enc, ct } = await reference.seal(
        { recipientPublicKey, info: buffer(info) },
        buffer(plaintext),
        buffer(additional),
      );
      const [encapsulated, ciphertext] = [new Uint8Array(enc), new Uint8Array(ct)];
      expect(await ours.open(pair.privateKey, encapsulated, info, additional, ciphertext)).toEqual(
        plaintext,
      );
      const sender = await reference.createSenderContext({
        recipientPublicKey,
        info: buffer(info),
      });
      const exported = await sender.export(buffer(text("context")), 64);
      expect(
        await ours.exportFrom(
          pair.privateKey,
          new Uint8Array(sender.enc),
          info,
          text("context"),
          64,
        ),
      ).toEqual(new Uint8Array(exported));
      const made = await ours.exportTo(pair.publicKey, info, text("context"), 32);
      expect(
        await ours.exportFrom(pair.privateKey, made.encapsulated, info, text("context"), 32),
      ).toEqual(made.secret);
    }
  },
);

for (const suite of suites)
  test(`${suite}: members on different engines are in one group`, async () => {
    const names = engines.map(({ name }) => name);
    const cast = await people(
      suite,
      names,
      engines.map((engine) => ({ engine })),
    );
    const members = await cast.room();
    for (const committer of members) {
      const staged = await committer.group.stageUpdate();
      const expectation = {
        kind: "update",
        committer: committer.identity.device,
        added: [],
        removed: [],
      } as const;
      for (const other of members)
        if (other !== committer)
          await other.group.process(staged.commit, { expect: expectation, judge: cast.judge });
      await committer.group.confirm(staged.serialise());
      const { sealed } = await committer.group.seal(text(committer.name), text(""));
      for (const other of members)
        if (other !== committer)
          expect((await other.group.open(sealed)).plaintext).toEqual(text(committer.name));
    }
    const authenticators = members.map(({ group }) =>
      Buffer.from(group.epochAuthenticator).toString("hex"),
    );
    expect(new Set(authenticators).size).toBe(1);
    // A state that one engine made is gone on with by another.
    const [alice, bob] = members;
    const moved = await bob.mls.restore(alice.group.serialise());
    const { sealed } = await moved.seal(text("moved"), text(""));
    expect((await bob.group.open(sealed)).plaintext).toEqual(text("moved"));
  });
