import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Json, pathsOf, readJws, replaced, signJws, signTexts } from "../test/jws.ts";
import { iat, newDevice, newSigner, TestPerson } from "../test/person.ts";
import { canonicalJson, type JsonValue } from "./canonical-json.ts";
import { Directory } from "./directory.ts";
import { parseRecord } from "./parse-record.ts";
import { RecordError } from "./record-error.ts";

const encoder = new TextEncoder();
const malformed = expect.objectContaining({ name: "RecordError", code: "MALFORMED" });

/** A directory with one person of two devices, and a record of each kind with who signed it. */
async function oneOfEach() {
  const owner = await TestPerson.named("owner");
  const founding = await owner.create();
  const alice = await TestPerson.named("alice");
  const [phone, paper, fresh] = [await newDevice(), await newDevice(), await newDevice()];
  const invite = await newSigner();
  const records = [
    await alice.create(),
    await alice.add(phone),
    await alice.revoke(alice.first.id, phone),
    await alice.recovery(paper, phone),
    await alice.reset(fresh, invite, await owner.allows(alice.place(), invite, iat + 1)),
  ];
  const { signer } = alice.first;
  const signers = [signer, signer, phone.signer, phone.signer, fresh.signer];
  return { owner, founding, alice, phone, paper, fresh, invite, records, signers };
}

async function directoryOf(records: readonly Uint8Array[]): Promise<Directory> {
  const directory = new Directory();
  for (const record of records) await directory.apply(record);
  return directory;
}

/** Another value of the same form: it passes the structure, so that only a signature or the chain can tell. */
function otherValue(old: JsonValue): JsonValue {
  if (typeof old === "number") return old + 1;
  if (typeof old !== "string") return old;
  if (old === "") return "0".repeat(64);
  const first = old.startsWith("b") ? "c" : "b";
  return first + old.slice(1);
}

test("what was written is read back, with its exact bytes and who claims to have signed it", async () => {
  const { owner, alice, phone, paper, fresh, invite, records } = await oneOfEach();
  const [create, add, revoke, recovery, reset] = records.map(parseRecord);
  expect(create).toMatchObject({
    signer: alice.first.id,
    record: { typ: "user-create", user: alice.user, seq: 0, prev: "", name: "alice" },
  });
  expect(create?.bytes).toBe(records[0]);
  expect(add).toMatchObject({ record: { typ: "device-add", seq: 1, device: { id: phone.id } } });
  expect(revoke).toMatchObject({
    signer: phone.id,
    record: { typ: "device-revoke", seq: 2, device: alice.first.id },
  });
  expect(recovery).toMatchObject({
    signer: phone.id,
    record: { typ: "recovery-set", seq: 3, device: { id: paper.id } },
  });
  expect(reset).toMatchObject({
    signer: fresh.id,
    record: {
      typ: "identity-reset",
      seq: 4,
      device: { id: fresh.id },
      invite: { key: invite.publicKey },
      allowed: { device: owner.first.id, expires: iat + 1 },
    },
  });
});

test("a device in another's place names it, in one spelling, and only where a device is added", async () => {
  const { alice, phone, paper } = await oneOfEach();
  const record = await alice.add(phone, paper, alice.first.id);
  expect(parseRecord(record).record).toMatchObject({ replaces: alice.first.id });
  const { header, payload } = readJws(record);
  const recovery = readJws(await alice.recovery(paper, phone)).payload;
  const cases: Json[] = [
    { ...payload, replaces: "" },
    { ...payload, replaces: alice.first.id.toUpperCase() },
    { ...payload, replaces: 7 },
    { ...recovery, replaces: alice.first.id },
  ];
  for (const bad of cases) {
    const bytes = await signJws(header, bad, paper.signer);
    expect(() => parseRecord(bytes)).toThrow(malformed);
  }
});

describe.each([0, 1, 2, 3, 4])("record %i of a chain", (at) => {
  test("does not survive the change of any field, with the old signature", async () => {
    const { founding, records, signers } = await oneOfEach();
    const record = records[at] as Uint8Array;
    const signer = signers[at];
    if (!signer) throw new Error("no signer");
    const directory = await directoryOf([founding, ...records.slice(0, at)]);
    const { header, payload, signature } = readJws(record);
    const changed = [
      ...pathsOf(header).map((path) => [replaced(header, path, otherValue), payload] as const),
      ...pathsOf(payload).map((path) => [header, replaced(payload, path, otherValue)] as const),
    ];
    expect(changed.length).toBeGreaterThan(8);
    for (const [badHeader, badPayload] of changed) {
      const signed = new TextDecoder().decode(await signJws(badHeader, badPayload, signer));
      const bytes = encoder.encode(`${signed.slice(0, signed.lastIndexOf("."))}.${signature}`);
      await expect(directory.check(bytes), canonicalJson(badPayload)).rejects.toThrow(RecordError);
    }
    await directory.check(record);
  });

  test("lacks no field, has no further one, and has none of another kind", async () => {
    const { records, signers } = await oneOfEach();
    const signer = signers[at];
    if (!signer) throw new Error("no signer");
    const { header, payload } = readJws(records[at] as Uint8Array);
    const refuses = async (badHeader: Json, badPayload: Json) => {
      const bytes = await signJws(badHeader, badPayload, signer);
      expect(() => parseRecord(bytes), canonicalJson(badPayload)).toThrow(malformed);
    };
    for (const key of Object.keys(payload)) {
      const { [key]: _, ...without } = payload;
      await refuses(header, without);
      await refuses(header, { ...payload, [key]: { nested: "x" } });
    }
    for (const path of pathsOf(payload)) {
      await refuses(
        header,
        replaced(payload, path, (old) => (typeof old === "number" ? "1" : 7)),
      );
    }
    await refuses(header, { ...payload, more: "x" });
    await refuses({ ...header, more: "x" }, payload);
  });
});

test("a header is exactly the one: no other algorithm, no other type, no critical extension", async () => {
  const alice = await TestPerson.named("alice");
  const { header, payload } = readJws(await alice.create());
  const { kid: _, ...withoutKid } = header;
  const headers: Json[] = [
    { ...header, alg: "none" },
    { ...header, alg: "HS256" },
    { ...header, alg: "Ed25519" },
    { ...header, typ: "JWT" },
    { ...header, typ: "sotto-record" },
    { ...header, crit: "exp" },
    { ...header, jwk: { kty: "OKP" } },
    withoutKid,
  ];
  for (const bad of headers) {
    const bytes = await signJws(bad, payload, alice.first.signer);
    expect(() => parseRecord(bytes), canonicalJson(bad)).toThrow(malformed);
  }
});

test("a signature made with a public key as HMAC secret, or left out, is none", async () => {
  const alice = await TestPerson.named("alice");
  const record = await alice.create();
  const text = new TextDecoder().decode(record);
  const input = text.slice(0, text.lastIndexOf("."));
  const directory = new Directory();
  expect(() => parseRecord(encoder.encode(`${input}.`))).toThrow(malformed);
  const zeros = encoder.encode(`${input}.${"A".repeat(86)}`);
  await expect(directory.check(zeros)).rejects.toMatchObject({ code: "SIGNATURE" });
});

test("one value has one spelling: order, white space, doubled keys, byte order marks and padding are refused", async () => {
  const alice = await TestPerson.named("alice");
  const { signer } = alice.first;
  const record = await alice.create();
  const { header, payload } = readJws(record);
  const headerText = canonicalJson(header);
  const payloadText = canonicalJson(payload);
  const spellings = [
    payloadText.replace(":", ": "),
    `${payloadText} `,
    `\uFEFF${payloadText}`,
    payloadText.replace("{", '{"v":1,'),
    payloadText.replace('"alice"', '"\\u0061lice"'),
    payloadText.replace('"seq":0', '"seq":-0'),
    payloadText.replace('"seq":0', '"seq":0.0'),
    JSON.stringify({ v: 1, ...payload }),
  ];
  expect(JSON.parse(spellings.at(-1) ?? "")).toEqual(payload);
  for (const spelling of spellings) {
    expect(spelling).not.toBe(payloadText);
    const bytes = await signTexts(headerText, spelling, signer);
    expect(() => parseRecord(bytes), spelling.slice(0, 40)).toThrow(malformed);
  }
  const text = new TextDecoder().decode(record);
  for (const bad of [
    `\uFEFF${text}`,
    `${text}\n`,
    ` ${text}`,
    `${text}=`,
    `${text}.`,
    `${text}é`,
  ]) {
    expect(() => parseRecord(encoder.encode(bad)), bad.slice(-8)).toThrow(malformed);
  }
  expect(parseRecord(record).signer).toBe(alice.first.id);
});

test("unused bits at the end of a base64url part are zero", async () => {
  const alice = await TestPerson.named("alice");
  const text = new TextDecoder().decode(await alice.create());
  // 64 bytes end in a character of which four bits are unused.
  const last = text.at(-1) ?? "";
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const twin = alphabet[alphabet.indexOf(last) + 1] ?? "";
  expect(() => parseRecord(encoder.encode(text.slice(0, -1) + twin))).toThrow(malformed);
});

test("a device's name is one line of at most 64 bytes", async () => {
  const alice = await TestPerson.named("alice");
  const { header, payload } = readJws(await alice.create());
  const named = (name: string) =>
    signJws(
      header,
      replaced(payload, ["device", "name"], () => name),
      alice.first.signer,
    );
  for (const bad of ["a\nb", "a\u202eb", "a\u2028b", "\ud800", "é".repeat(33), "x".repeat(65)]) {
    const bytes = await named(bad);
    expect(() => parseRecord(bytes), JSON.stringify(bad)).toThrow(malformed);
  }
  for (const good of ["", "Küchen-Tablet", "é".repeat(32)]) parseRecord(await named(good));
});

test("a person's name is folded before it is signed", async () => {
  const alice = await TestPerson.named("alice");
  const { header, payload } = readJws(await alice.create());
  for (const name of ["Alice", "аlice", "ａlice", "a lice", "", ".a", "x".repeat(33)]) {
    const bytes = await signJws(header, { ...payload, name }, alice.first.signer);
    expect(() => parseRecord(bytes), name).toThrow(malformed);
  }
});

test("whatever the bytes are, the answer is a record or a RecordError", () => {
  const part = fc
    .oneof(fc.json(), fc.string(), fc.constant('{"alg":"EdDSA","kid":"00","typ":"x"}'))
    .map((text) => Buffer.from(text).toString("base64url"));
  const texts = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(part, part, part).map((parts) => encoder.encode(parts.join("."))),
    fc.integer({ min: 1, max: 20_000 }).map((length) => new Uint8Array(length).fill(46)),
    fc
      .integer({ min: 1, max: 1500 })
      .map((depth) => Buffer.from('{"a":'.repeat(depth)).toString("base64url"))
      .map((deep) => encoder.encode(`${deep}.${deep}.${deep}`)),
  );
  fc.assert(
    fc.property(texts, (bytes) => {
      expect(() => parseRecord(bytes)).toThrow(malformed);
    }),
    { numRuns: 500 },
  );
});

test("a record in which any one byte is flipped is refused", async () => {
  const { founding, records } = await oneOfEach();
  const directories = await Promise.all(
    [0, 1, 2, 3, 4].map((at) => directoryOf([founding, ...records.slice(0, at)])),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: 4 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.integer({ min: 1, max: 255 }),
      async (at, place, flip) => {
        const bytes = (records[at] as Uint8Array).slice();
        const index = Math.floor(place * bytes.length);
        bytes[index] = (bytes[index] ?? 0) ^ flip;
        await expect(directories[at]?.check(bytes)).rejects.toThrow(RecordError);
      },
    ),
    { numRuns: 500 },
  );
});
