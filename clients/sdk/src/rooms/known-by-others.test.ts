import { create, toBinary } from "@bufbuild/protobuf";
import { foldRoster, type Roster, rosterToMessage } from "@sotto/identity";
import {
  type Envelope,
  EnvelopeKind,
  EnvelopeSchema,
  fromHex,
  type Part,
  parseDeviceId,
  parseRoomId,
  parseUserId,
  RoomPolicySchema,
  RosterSchema,
  SignedEnvelopeSchema,
  toHex,
} from "@sotto/protocol";
import { expect, test } from "vitest";
import { sha256 } from "../bytes.ts";
import { allChecks } from "../checks.ts";
import type { Connection } from "../connection/connection.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { invitedRoomChanges } from "./invited-room.ts";
import { rosterBeforeEntry } from "./known-by-others.ts";
import type { ChainRecord } from "./room-chain.ts";
import type { RoomContext } from "./room-context.ts";
import { newRoomState } from "./room-state.ts";

const room = parseRoomId("aa".repeat(16));
const leaf = (byte: string) => ({
  user: parseUserId(byte.repeat(16)),
  device: parseDeviceId(byte.repeat(16)),
});
const [alice, bob, carol, mallory] = ["a1", "b0", "ca", "ee"].map(leaf) as [Leaf, Leaf, Leaf, Leaf];
type Leaf = ReturnType<typeof leaf>;

async function record(
  before: Roster | undefined,
  by: Leaf,
  added: readonly Leaf[],
  more: { readonly directorySize?: number } = {},
): Promise<ChainRecord> {
  const named = ({ user, device }: Leaf) => ({ user: fromHex(user), device: fromHex(device) });
  const policy = create(RoomPolicySchema, { admins: [fromHex(by.user)] });
  const envelope: Envelope = create(EnvelopeSchema, {
    version: 1,
    room: fromHex(room),
    kind: before ? EnvelopeKind.ADD : EnvelopeKind.CREATE,
    previousSequence: BigInt(before?.foldedTo ?? 0),
    previousSha256: fromHex(before?.headHash ?? ""),
    epoch: BigInt(before ? before.epoch + 1 : 0),
    committer: named(by),
    added: added.map(named),
    directorySize: BigInt(more.directorySize ?? 4),
    policy: before ? new Uint8Array() : toBinary(RoomPolicySchema, policy),
  });
  const bytes = toBinary(EnvelopeSchema, envelope);
  const signed = create(SignedEnvelopeSchema, { envelope: bytes, signature: new Uint8Array(64) });
  const data = toBinary(SignedEnvelopeSchema, signed);
  const sequence = (before?.foldedTo ?? 0) + 1;
  return { sequence, data, sha256: toHex(await sha256(data)), envelope };
}

const folded = (before: Roster | undefined, { envelope, sequence, sha256: hash }: ChainRecord) =>
  foldRoster(before, envelope, sequence, hash);

/** Carol, whom alice has invited into a room where bob is too. */
async function invited() {
  const begun = folded(undefined, await record(undefined, alice, [alice]));
  const roster = folded(begun, await record(begun, alice, [bob]));
  const bytes = toBinary(RosterSchema, rosterToMessage(roster));
  const store = new MemoryStore();
  const hash = await sha256(bytes);
  const head = { size: 4, root: new Uint8Array(32) };
  const inviter = { user: alice.user, chainHead: new Uint8Array(32), head };
  const rosters = [{ room, sha256: hash, bytes: bytes.length }];
  await store.commit(invitedRoomChanges({ inviter, rosters } as never));
  const fetched: string[] = [];
  const context = {
    store,
    profile: { ...carol, serverKeySha256: new Uint8Array(32) },
    checks: { ...allChecks, envelopeSignature: false },
    directory: {
      sync: async () => {},
      directory: { user: () => undefined, deviceAsOf: () => undefined },
    },
    parts: {
      fetch: async (_: Connection, __: string, part: Part) => {
        fetched.push(toHex(part.sha256));
        return bytes;
      },
    },
  } as unknown as RoomContext;
  const enter = (entry: ChainRecord) =>
    rosterBeforeEntry(context, {} as Connection, newRoomState(room, entry.sequence), entry);
  return { roster, enter, fetched, hash: toHex(hash) };
}

test("who invited somebody lets them in by their own word", async () => {
  const { roster, enter, fetched } = await invited();
  expect(await enter(await record(roster, alice, [carol]))).toBeUndefined();
  expect(fetched).toEqual([]);
});

test("another lets them in as a member of the room that the inviter knew", async () => {
  const { roster, enter, fetched, hash } = await invited();
  expect(await enter(await record(roster, bob, [carol]))).toEqual(roster);
  expect(fetched).toEqual([hash]);
});

test("nobody else does: no stranger, in no other room, and no device that the inviter had lost by then", async () => {
  const { roster, enter } = await invited();
  const other = { ...roster, headHash: "ff".repeat(32) };
  const refused = { code: "SERVER_MISBEHAVED" };
  await expect(enter(await record(roster, mallory, [carol]))).rejects.toMatchObject(refused);
  await expect(enter(await record(other, bob, [carol]))).rejects.toMatchObject(refused);
  const old = await record(roster, alice, [carol], { directorySize: 3 });
  await expect(enter(old)).rejects.toMatchObject(refused);
});
