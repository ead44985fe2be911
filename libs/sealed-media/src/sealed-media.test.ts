import { createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  blockBytes,
  Opener,
  plainLength,
  type SealCrypto,
  Sealer,
  sealedLength,
  webSealCrypto,
} from "./index.ts";
import { nodeSealCrypto } from "./node.ts";

const context = Buffer.from("context");
const engines: readonly (readonly [string, SealCrypto])[] = [
  ["WebCrypto", webSealCrypto],
  ["node:crypto", nodeSealCrypto],
];

async function* inParts(bytes: Uint8Array, size = 300_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

async function seal(plain: Uint8Array, crypto: SealCrypto = nodeSealCrypto, partBytes?: number) {
  const options = { key: randomBytes(32), salt: randomBytes(24), context, crypto };
  const sealer = await Sealer.create(options);
  const sealed = await collect(sealer.blocks(inParts(plain, partBytes)));
  const object = {
    ...options,
    commitment: sealer.commitment,
    sealedBytes: sealer.sealedBytes,
    root: await sealer.root(),
    hashes: sealer.hashes,
  };
  return { sealed, object };
}

const from = (sealed: Uint8Array) => (offset: number, length: number) =>
  inParts(sealed.subarray(offset, offset + length), 70_001);

for (const [name, crypto] of engines) {
  test.each([0, 1, 16_383, 16_384, 16_385, 1_048_576, 3_000_000])(
    `${name}: a file of %i bytes comes back whole`,
    async (size) => {
      const plain = randomBytes(size);
      const { sealed, object } = await seal(plain, crypto);
      expect(sealed.length).toBe(sealedLength(size));
      expect(plainLength(sealed.length)).toBe(size);
      const opener = await Opener.create(object);
      expect((await collect(opener.read(0, size, from(sealed)))).equals(plain)).toBe(true);
    },
  );
}

test("ten random ranges of a large file are the file's", async () => {
  const plain = randomBytes(5_000_000);
  const { sealed, object } = await seal(plain);
  const opener = await Opener.create(object);
  for (let i = 0; i < 10; i++) {
    const [start, end] = [Math.random(), Math.random()]
      .map((part) => Math.floor(part * plain.length))
      .sort((a, b) => a - b) as [number, number];
    expect(
      (await collect(opener.read(start, end, from(sealed)))).equals(plain.subarray(start, end)),
      `${start}-${end}`,
    ).toBe(true);
  }
});

test("any range of any file, however the plaintext is cut, comes back", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(60_000),
      fc.nat(60_000),
      fc.nat(60_000),
      fc.integer({ min: 1, max: 40_000 }),
      async (size, a, b, part) => {
        const plain = randomBytes(size);
        const { sealed, object } = await seal(plain, nodeSealCrypto, part);
        const [start, end] = [Math.min(a, b, size), Math.min(Math.max(a, b), size)];
        const opener = await Opener.create(object);
        expect(
          (await collect(opener.read(start, end, from(sealed)))).equals(plain.subarray(start, end)),
        ).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

test("the format is C2SP chunked-encryption with SHA-512 and AES-256-GCM", async () => {
  const plain = Buffer.from("a secret message");
  const { sealed, object } = await seal(plain);
  const info = Buffer.concat([
    Buffer.from("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"),
    object.salt,
    context,
  ]);
  const first = createHmac("sha512", object.key).update(info).update(Buffer.of(1)).digest();
  const second = createHmac("sha512", object.key)
    .update(first)
    .update(info)
    .update(Buffer.of(2))
    .digest();
  const output = Buffer.concat([first, second]);
  expect(sealed.subarray(0, 24)).toEqual(object.salt);
  expect(sealed.subarray(24, 56).equals(output.subarray(44, 76))).toBe(true);
  const decipher = createDecipheriv("aes-256-gcm", output.subarray(0, 32), output.subarray(32, 44));
  decipher.setAuthTag(sealed.subarray(sealed.length - 16));
  expect(
    Buffer.concat([decipher.update(sealed.subarray(56, -16)), decipher.final()]).equals(plain),
  ).toBe(true);
  expect(
    Buffer.from(object.hashes[0] as Uint8Array).equals(
      createHash("sha256").update(sealed).digest(),
    ),
  ).toBe(true);
});

test("the same key, salt and plaintext give the same blocks, so that an upload can go on", async () => {
  const plain = randomBytes(2_500_000);
  const options = { key: randomBytes(32), salt: randomBytes(24), context, crypto: nodeSealCrypto };
  const [one, other] = [await Sealer.create(options), await Sealer.create(options)];
  const [a, b] = [
    await collect(one.blocks(inParts(plain, 100))),
    await collect(other.blocks(inParts(plain, 1_000_003))),
  ];
  expect(a.equals(b)).toBe(true);
});

test("an altered byte anywhere is noticed", async () => {
  const plain = randomBytes(2_200_000);
  const { sealed, object } = await seal(plain);
  const opener = await Opener.create(object);
  for (const at of [0, 23, 24, 55, 56, 16_455, blockBytes - 1, blockBytes, sealed.length - 1]) {
    const altered = Buffer.from(sealed);
    altered[at] = (altered[at] ?? 0) ^ 1;
    await expect(collect(opener.read(0, plain.length, from(altered)))).rejects.toMatchObject({
      code: "ALTERED",
    });
  }
});

test("swapped blocks, another object's blocks, and a cut-off object are noticed", async () => {
  const plain = randomBytes(2_200_000);
  const { sealed, object } = await seal(plain);
  const opener = await Opener.create(object);
  const swapped = Buffer.concat([
    sealed.subarray(blockBytes, 2 * blockBytes),
    sealed.subarray(0, blockBytes),
    sealed.subarray(2 * blockBytes),
  ]);
  const other = (await seal(plain)).sealed;
  for (const forged of [swapped, other]) {
    await expect(collect(opener.read(0, plain.length, from(forged)))).rejects.toMatchObject({
      code: "ALTERED",
    });
  }
  for (const end of [sealed.length - 1, blockBytes, 0]) {
    await expect(
      collect(opener.read(0, plain.length, from(sealed.subarray(0, end)))),
    ).rejects.toMatchObject({ code: "TRUNCATED" });
  }
});

test("a member who has the key cannot pass off other bytes: the signed root decides", async () => {
  const plain = randomBytes(100_000);
  const { object } = await seal(plain);
  const forger = await Sealer.create(object);
  const forged = await collect(forger.blocks(inParts(randomBytes(100_000))));
  const opener = await Opener.create(object);
  await expect(collect(opener.read(0, 100, from(forged)))).rejects.toMatchObject({
    code: "ALTERED",
  });
  await expect(Opener.create({ ...object, hashes: forger.hashes })).rejects.toMatchObject({
    code: "ALTERED",
  });
});

test("a wrong key or context, and lengths that nothing has, are refused", async () => {
  const { object } = await seal(randomBytes(1000));
  await expect(Opener.create({ ...object, key: randomBytes(32) })).rejects.toMatchObject({
    code: "WRONG_KEY",
  });
  await expect(Opener.create({ ...object, context: Buffer.from("other") })).rejects.toMatchObject({
    code: "WRONG_KEY",
  });
  for (const length of [0, 55, 56, 71, 56 + 16_400, 56 + 16_400 + 15, 1.5]) {
    expect(() => plainLength(length), String(length)).toThrow(
      expect.objectContaining({ code: "BAD_LENGTH" }),
    );
  }
  const opener = await Opener.create(object);
  await expect(collect(opener.read(0, 1001, from(new Uint8Array())))).rejects.toMatchObject({
    code: "BAD_RANGE",
  });
});
