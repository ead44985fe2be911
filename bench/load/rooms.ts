import { create, toBinary } from "@bufbuild/protobuf";
import { sha256, signEnvelope } from "@sotto/identity";
import {
  EnvelopeKind,
  EnvelopeSchema,
  fromHex,
  HistoryPolicy,
  limits,
  RoomPolicySchema,
  toSafeNumber,
} from "@sotto/protocol";
import type { Connection } from "../../clients/sdk/src/connection/connection.ts";
import type { Account } from "./account.ts";

/** A room as the server knows it, its epochs without any encryption behind them. */
export interface BenchRoom {
  readonly room: Uint8Array;
  /** Sequence of the last handshake record. */
  readonly handshake: number;
}

/** Makes a room of `members`; the first one makes and fills it over `connection`. */
export async function makeRoom(
  connection: Connection,
  members: readonly Account[],
  directorySize: number,
): Promise<BenchRoom> {
  const [maker, ...others] = members as [Account, ...Account[]];
  const room = crypto.getRandomValues(new Uint8Array(16));
  const leaf = ({ user, device }: Account) => ({ user: fromHex(user), device: fromHex(device) });
  let previous = { sequence: 0, sha256: new Uint8Array() as Uint8Array };
  let epoch = 0n;
  const commit = async (kind: EnvelopeKind, added: readonly Account[], policy: Uint8Array) => {
    const envelope = create(EnvelopeSchema, {
      version: 1,
      room,
      previousSequence: BigInt(previous.sequence),
      previousSha256: previous.sha256,
      epoch: epoch++,
      kind,
      committer: leaf(maker),
      added: added.map(leaf),
      directorySize: BigInt(directorySize),
      policy,
    });
    const data = await signEnvelope(toBinary(EnvelopeSchema, envelope), maker.sign);
    const answer = await connection.request(
      { case: "commit", value: { room, envelope: data } },
      "appended",
    );
    previous = {
      sequence: toSafeNumber(answer.position?.sequence ?? 0n),
      sha256: await sha256(data),
    };
  };
  const policy = create(RoomPolicySchema, {
    admins: [fromHex(maker.user)],
    history: HistoryPolicy.ALL,
  });
  await commit(EnvelopeKind.CREATE, [maker], toBinary(RoomPolicySchema, policy));
  for (let at = 0; at < others.length; at += limits.addedDevicesMax) {
    await commit(EnvelopeKind.ADD, others.slice(at, at + limits.addedDevicesMax), new Uint8Array());
  }
  return { room, handshake: previous.sequence };
}

/** Appends a message of random bytes. */
export async function append(
  connection: Connection,
  { room, handshake }: BenchRoom,
  sealed: Uint8Array,
): Promise<void> {
  const id = crypto.getRandomValues(new Uint8Array(16));
  await connection.request(
    { case: "append", value: { room, id, handshake: BigInt(handshake), sealed } },
    "appended",
  );
}

/** Begins to receive a room's messages from now on. */
export async function subscribe(connection: Connection, { room }: BenchRoom): Promise<void> {
  await connection.request({ case: "subscribe", value: { room } }, "subscribed");
}
