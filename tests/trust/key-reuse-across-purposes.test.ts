import { create, toBinary } from "@bufbuild/protobuf";
import {
  addDeviceRecord,
  createUserRecord,
  generateEd25519,
  openEnvelope,
  revokeDeviceRecord,
  type Signer,
  signerFromSeed,
  verifyEd25519,
  verifyGrant,
} from "@sotto/identity";
import * as protocol from "@sotto/protocol";
import {
  EnvelopeSchema,
  GrantSchema,
  parseDeviceId,
  parseUserId,
  SignedEnvelopeSchema,
  SignedGrantSchema,
} from "@sotto/protocol";
import fc from "fast-check";
import { beforeAll, expect, test, vi } from "vitest";
import { seed } from "./config.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const free = fc.uint8Array({ minLength: 0, maxLength: 300 });
const time = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const key = bytes(32);
const id = bytes(16);

/** What each purpose signs. Those of `signing.ts` by the names of their functions. */
const purposes: Readonly<Record<string, fc.Arbitrary<Uint8Array>>> = {
  authInput: fc
    .record({
      serverKey: key,
      serverNonce: key,
      clientNonce: key,
      device: id,
      binding: fc.oneof(
        key.map(protocol.tlsBinding),
        fc.webUrl().map((origin) => protocol.webSocketBinding(origin)),
      ),
    })
    .map(protocol.authInput),
  certificateInput: fc
    .record({ spkiSha256: key, notBeforeMs: time, notAfterMs: time })
    .map(protocol.certificateInput),
  envelopeInput: free.map(protocol.envelopeInput),
  grantInput: free.map(protocol.grantInput),
  arrivalInput: fc.record({ user: id, device: id, sign: key, mls: key }).map(protocol.arrivalInput),
  disablementInput: fc.record({ user: id, sinceMs: time }).map(protocol.disablementInput),
  deviceCounterInput: key.map(protocol.deviceCounterInput),
  logKeyInput: key.map(protocol.logKeyInput),
  resetInput: fc
    .record({ user: id, inviteKey: key, prev: key, expiresMs: time })
    .map(protocol.resetInput),
  archiveInput: free.map(protocol.archiveInput),
  // RFC 9420 section 5.1.2: a length, "MLS 1.0 " and a label, a length, the content.
  "MLS leaf": fc
    .tuple(
      fc.constantFrom("FramedContentTBS", "LeafNodeTBS", "KeyPackageTBS", "GroupInfoTBS"),
      free,
    )
    .map(([label, content]) => {
      const name = new TextEncoder().encode(`MLS 1.0 ${label}`);
      return Uint8Array.of(name.length, ...name, content.length >> 8, content.length, ...content);
    }),
  checkpoint: fc
    .tuple(key, time, key)
    .map(([server, size, root]) =>
      new TextEncoder().encode(
        `sotto/${Buffer.from(server).toString("hex")}\n${size}\n${Buffer.from(root).toString("base64")}\n`,
      ),
    ),
};

/** Purposes whose signer, or the server, chooses all the bytes: where one could try to fit another's in. */
const freeForm: Readonly<Record<string, (content: Uint8Array) => Uint8Array>> = {
  envelopeInput: protocol.envelopeInput,
  grantInput: protocol.grantInput,
  archiveInput: protocol.archiveInput,
};

let signer: Signer;
const records: Uint8Array[] = [];

beforeAll(async () => {
  signer = await signerFromSeed((await generateEd25519()).seed);
  // What the writers of records really give to the key.
  const listening: Signer = {
    publicKey: signer.publicKey,
    sign: async (input) => {
      records.push(input.slice());
      return await signer.sign(input);
    },
  };
  const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
  const user = parseUserId(random(16));
  const device = {
    id: parseDeviceId(random(16)),
    name: "laptop",
    auth: random(32),
    sign: random(32),
    mls: random(32),
    seal: random(1216),
  };
  const invite = { key: random(32), proof: random(64) };
  await createUserRecord({ user, name: "alice", at: 1, device, invite, signer: listening });
  const place = { user, seq: 1, prev: "ab".repeat(32), at: 1 };
  const by = { device: device.id, signer: listening };
  await addDeviceRecord(place, device, signer, by);
  await revokeDeviceRecord(place, device.id, by);
});

const equal = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;

/** What somebody could try to pass off as `purpose`, who has a signature over `signed`. */
function forgeries(purpose: string, signed: Uint8Array, wrap: (content: Uint8Array) => Uint8Array) {
  return freeForm[purpose] === undefined
    ? []
    : Array.from({ length: signed.length + 1 }, (_, at) => wrap(signed.subarray(at)));
}

test("every purpose of the protocol is among those that are tried", () => {
  const functions = Object.keys(protocol).filter((name) => name.endsWith("Input"));
  expect(functions.length).toBeGreaterThan(9);
  expect(functions.filter((name) => purposes[name] === undefined)).toEqual([]);
});

test(`what one key signed for one purpose is good for no other, whatever the bytes (seed ${seed})`, async () => {
  const names = Object.keys(purposes);
  for (const made of names) {
    await fc.assert(
      fc.asyncProperty(
        purposes[made] as fc.Arbitrary<Uint8Array>,
        fc.record(purposes),
        async (signed, others) => {
          const signature = await signer.sign(signed);
          expect(await verifyEd25519(signer.publicKey, signed, signature)).toBe(true);
          for (const other of names) {
            if (other === made) continue;
            const wanted = others[other] as Uint8Array;
            expect(await verifyEd25519(signer.publicKey, wanted, signature)).toBe(false);
            const wrap = freeForm[other] ?? ((content: Uint8Array) => content);
            expect(forgeries(other, signed, wrap).some((forged) => equal(forged, signed))).toBe(
              false,
            );
          }
        },
      ),
      { numRuns: 15, seed },
    );
  }
});

test("what signs identity records is no other purpose's, and none of those is a record", async () => {
  expect(records).toHaveLength(3);
  for (const record of records) {
    const signature = await signer.sign(record);
    for (const [other, wrap] of Object.entries(freeForm))
      expect(forgeries(other, record, wrap).some((forged) => equal(forged, record))).toBe(false);
    await fc.assert(
      fc.asyncProperty(fc.record(purposes), async (others) => {
        for (const wanted of Object.values(others)) {
          // A record's input is base64url; every other one has a byte that is not.
          expect(/^[\w.-]+$/.test(Buffer.from(wanted).toString("latin1"))).toBe(false);
          expect(await verifyEd25519(signer.publicKey, wanted, signature)).toBe(false);
        }
      }),
      { numRuns: 10, seed },
    );
  }
});

/** The very same bytes as an envelope and as a grant, each with the signature of the other purpose. */
async function passedOff({ envelopeInput, grantInput }: Inputs) {
  const someone = {
    user: crypto.getRandomValues(new Uint8Array(16)),
    device: crypto.getRandomValues(new Uint8Array(16)),
  };
  const envelope = toBinary(
    EnvelopeSchema,
    create(EnvelopeSchema, { version: 1, committer: someone }),
  );
  const grant = toBinary(
    GrantSchema,
    create(GrantSchema, { version: 1, inviter: someone, inviteKey: new Uint8Array(32) }),
  );
  const asGrant = await signer.sign(grantInput(envelope));
  const asEnvelope = await signer.sign(envelopeInput(grant));
  return {
    envelope: toBinary(
      SignedEnvelopeSchema,
      create(SignedEnvelopeSchema, { envelope, signature: asGrant }),
    ),
    grant: toBinary(SignedGrantSchema, create(SignedGrantSchema, { grant, signature: asEnvelope })),
  };
}

type Inputs = Pick<typeof protocol, "envelopeInput" | "grantInput">;

test("a grant's signature opens no envelope, and an envelope's no grant, with the very same bytes", async () => {
  const forged = await passedOff(protocol);
  await expect(openEnvelope(forged.envelope, async () => signer.publicKey)).rejects.toThrow(
    /not signed by its committer/,
  );
  expect(await verifyGrant(forged.grant, () => signer.publicKey)).toBeUndefined();
  // The same bytes are good where the signature is of their own purpose.
  const same = { envelopeInput: protocol.grantInput, grantInput: protocol.envelopeInput };
  const honest = await passedOff(same);
  await openEnvelope(honest.envelope, async () => signer.publicKey);
  expect(await verifyGrant(honest.grant, () => signer.publicKey)).toBeDefined();
});

test("control: verifiers that put no purpose before what they verify take both", async () => {
  const itself = (bytes: Uint8Array) => bytes.slice();
  const bare = { envelopeInput: itself, grantInput: itself };
  vi.doMock("@sotto/protocol", async (original) => ({
    ...(await original<typeof protocol>()),
    ...bare,
  }));
  vi.resetModules();
  try {
    const careless = await import("@sotto/identity");
    const forged = await passedOff(bare);
    const opened = await careless.openEnvelope(forged.envelope, async () => signer.publicKey);
    expect(opened.envelope.version).toBe(1);
    expect(await careless.verifyGrant(forged.grant, () => signer.publicKey)).toBeDefined();
  } finally {
    vi.doUnmock("@sotto/protocol");
    vi.resetModules();
  }
});
