import { create, toBinary } from "@bufbuild/protobuf";
import { generateEd25519, signEnvelope, signerFromSeed } from "@sotto/identity";
import { EnvelopeSchema, ErrorCode, fromHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import { allChecks } from "../checks.ts";
import type { Connection } from "../connection/connection.ts";
import { readEnvelope } from "./judge-record.ts";
import type { RoomContext } from "./room-context.ts";

const user = "a0".repeat(16);
const device = "a1".repeat(16);
/** Records that the server has, and of them what this device has. */
const sizes = { server: 5, here: 3 };

interface Signer {
  readonly addedAt: number;
  readonly revokedAt?: number;
  readonly user?: string;
  readonly kind?: string;
}

/** Reads an envelope of `directorySize` by a device that the directory knows so; answers the sizes that were waited for. */
async function reading(
  directorySize: number,
  signer: Signer | undefined,
  { signed = true, standing = "good" } = {},
) {
  const { seed, publicKey } = await generateEd25519();
  const other = await generateEd25519();
  const committer = { user: fromHex(user), device: fromHex(device) };
  const envelope = create(EnvelopeSchema, { committer, directorySize: BigInt(directorySize) });
  const key = await signerFromSeed(signed ? seed : other.seed);
  const data = await signEnvelope(toBinary(EnvelopeSchema, envelope), key);
  let size = sizes.here;
  const waited: number[] = [];
  const found = () =>
    signer && signer.addedAt < size
      ? { kind: "device", user, revokedAt: undefined, ...signer, keys: { sign: publicKey } }
      : undefined;
  const leafAsOf = (_: string, at: number) => {
    const known = found();
    if (!known || known.addedAt >= at) return undefined;
    return { ...known, revokedAt: (known.revokedAt ?? at) < at ? known.revokedAt : undefined };
  };
  const directory = {
    directory: { device: found, leafAsOf },
    trust: { standing },
    get size() {
      return size;
    },
    sync: async (_: Connection, upTo = 0) => {
      if (upTo > 0 && size >= upTo) return;
      waited.push(upTo);
      size = sizes.server;
      if (upTo > size) throw new Error("held back");
    },
  };
  const context = { directory, checks: allChecks } as unknown as RoomContext;
  const read = readEnvelope(context, {} as Connection, data).then(
    () => "read",
    (error) => (error.code === ErrorCode.BAD_SIGNATURE ? "passed over" : error.message),
  );
  return [await read, waited];
}

test("a record that is signed is read, also where the directory must be read on for it", async () => {
  expect(await reading(3, { addedAt: 1 })).toEqual(["read", []]);
  expect(await reading(5, { addedAt: 1 })).toEqual(["read", [5]]);
  expect(await reading(5, { addedAt: 4 })).toEqual(["read", [0]]);
  expect(await reading(6, { addedAt: 1 })).toEqual(["held back", [6]]);
  expect(await reading(6, { addedAt: 4 })).toEqual(["held back", [0, 6]]);
});

test("one that nobody signed waits for no directory that it names", async () => {
  const signed = false;
  expect(await reading(3, { addedAt: 1 }, { signed })).toEqual(["passed over", []]);
  expect(await reading(99, { addedAt: 1 }, { signed })).toEqual(["passed over", []]);
  expect(await reading(99, { addedAt: 4 }, { signed })).toEqual(["passed over", [0]]);
  expect(await reading(99, undefined)).toEqual(["passed over", [0]]);
  expect(await reading(3, undefined)).toEqual(["passed over", []]);
});

test("nor does one of somebody who signs nothing in a room", async () => {
  expect(await reading(99, { addedAt: 1, revokedAt: 2 })).toEqual(["passed over", []]);
  expect(await reading(99, { addedAt: 1, kind: "recovery" })).toEqual(["passed over", [0]]);
  expect(await reading(99, { addedAt: 1, user: "b0".repeat(16) })).toEqual(["passed over", [0]]);
  expect(await reading(2, { addedAt: 1, revokedAt: 2 })).toEqual(["read", []]);
});

test("where the server lacks records, one of an unknown device waits for them", async () => {
  for (const standing of ["behind", "withheld"])
    expect(await reading(99, undefined, { standing })).toEqual(["held back", [0, 99]]);
  expect(await reading(99, undefined, { standing: "fork" })).toEqual(["passed over", [0]]);
});
