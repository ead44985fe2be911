import { create } from "@bufbuild/protobuf";
import { generateEd25519, type Signer, signerFromSeed } from "@sotto/identity";
import { certificateInput, type Hello, HelloSchema, toSafeNumber } from "@sotto/protocol";
import { beforeAll, expect, test } from "vitest";
import { sha256 } from "../bytes.ts";
import type { TransportConnection } from "../ports/transport.ts";
import { checkServer } from "./server-proof.ts";

const dayMs = 24 * 3_600_000;
const now = 20_000 * dayMs;
const spkiSha256 = new Uint8Array(32).fill(5);
let server: Signer;
let other: Signer;

beforeAll(async () => {
  server = await signerFromSeed((await generateEd25519()).seed);
  other = await signerFromSeed((await generateEd25519()).seed);
});

/** The greeting of a server whose certificate is good for ten days around now. */
async function greeting(signer = server, spki = spkiSha256): Promise<Hello> {
  const [notBeforeMs, notAfterMs] = [now - 5 * dayMs, now + 5 * dayMs];
  const signature = await signer.sign(
    certificateInput({ spkiSha256: spki, notBeforeMs, notAfterMs }),
  );
  return create(HelloSchema, {
    serverKey: server.publicKey,
    certificateProof: {
      spkiSha256: spki,
      notBeforeMs: BigInt(notBeforeMs),
      notAfterMs: BigInt(notAfterMs),
      signature,
    },
  });
}

async function check(
  hello: Hello,
  { atMs = now, peerKeySha256 = spkiSha256 as Uint8Array | undefined } = {},
): Promise<void> {
  const transport: TransportConnection = {
    binding: { kind: "exporter", exporter: new Uint8Array(32) },
    peerKeySha256,
    send: () => true,
    close: () => {},
  };
  await checkServer(hello, transport, await sha256(server.publicKey), atMs);
}

const refused = (why: RegExp) => ({
  code: "WRONG_SERVER",
  message: expect.stringMatching(why) as string,
});

test("the server of the invite is believed, with a day for clocks that differ", async () => {
  const hello = await greeting();
  await check(hello);
  await check(hello, { atMs: now + 5.9 * dayMs });
  await check(hello, { atMs: now - 5.9 * dayMs });
  await check(hello, { peerKeySha256: undefined });
});

test("another server with a good proof of its own is refused", async () => {
  const hello = await greeting(other);
  await expect(check({ ...hello, serverKey: other.publicKey })).rejects.toMatchObject(
    refused(/identity key/),
  );
});

test("who shows the pinned key without its word is refused", async () => {
  await expect(check(await greeting(other))).rejects.toMatchObject(refused(/not valid/));
  const { certificateProof, ...bare } = await greeting();
  expect(certificateProof).toBeDefined();
  await expect(check(bare)).rejects.toMatchObject(refused(/does not prove/));
});

test("who passes on the server's greeting over a certificate of their own is refused", async () => {
  const own = new Uint8Array(32).fill(6);
  await expect(check(await greeting(), { peerKeySha256: own })).rejects.toMatchObject(
    refused(/stand in between/),
  );
  await expect(check(await greeting(other, own), { peerKeySha256: own })).rejects.toMatchObject(
    refused(/not valid/),
  );
});

test("a proof out of its time, or whose time was changed, is refused", async () => {
  const hello = await greeting();
  for (const atMs of [now + 6.1 * dayMs, now - 6.1 * dayMs])
    await expect(check(hello, { atMs })).rejects.toMatchObject(refused(/expired/));
  const proof = hello.certificateProof;
  if (!proof) throw new Error("no proof");
  const notAfterMs = BigInt(toSafeNumber(proof.notAfterMs) + 365 * dayMs);
  const longer = { ...hello, certificateProof: { ...proof, notAfterMs } };
  await expect(check(longer, { atMs: now + 6.1 * dayMs })).rejects.toMatchObject(
    refused(/not valid/),
  );
});
