import {
  checkEnvelope,
  foldRoster,
  leaves,
  openEnvelope,
  provenDisabled,
  type Roster,
  removableBy,
  sha256Hex,
} from "@sotto/identity";
import { LogError, type Position } from "@sotto/log";
import {
  type Envelope,
  ErrorCode,
  fromHex,
  parseRoomId,
  type RoomId,
  SottoError,
  type UserId,
} from "@sotto/protocol";
import { announceRoster } from "../announce.ts";
import { topicOf } from "../rosters.ts";
import { readOnly } from "../transparency/standing.ts";
import type { Answer, Keyserver, Principal, RequestValue } from "./command.ts";

/**
 * Appends a handshake record. The one place where rooms change hands: signature, directory, roles and place
 * are checked, and the log's condition lets exactly one commit win an epoch, whatever other replicas do.
 */
export async function commit(
  server: Keyserver,
  request: RequestValue<"commit">,
  caller: Principal,
): Promise<Answer> {
  const room = parseRoomId(request.room);
  const envelope = await readEnvelope(server, request.envelope, room, caller);
  const sha256 = await sha256Hex(request.envelope);
  return await server.turns.run(room, async () => {
    const before = await server.rosters.get(room);
    // The same record again: its answer was lost on the way.
    if (before?.headHash === sha256) return await again(server, before);
    const disabled = await disabledIn(server, envelope);
    const refusal = await checkEnvelope(before, envelope, {
      roomDevicesMax: server.limits.roomDevicesMax,
      removable: removableBy(envelope, server.state.directory, disabled),
    });
    if (refusal) throw refusal;
    const position = await append(server, room, request.envelope, sha256, before?.foldedTo ?? 0);
    await settle(server, foldRoster(before, envelope, position.sequence, sha256), envelope);
    return answerOf(position, false);
  });
}

/** The envelope, signed by the calling device and judged by a directory that this server has. */
async function readEnvelope(
  server: Keyserver,
  data: Uint8Array,
  room: RoomId,
  caller: Principal,
): Promise<Envelope> {
  const { directory } = server.state;
  const { envelope } = await openEnvelope(data, async (committer, directorySize) => {
    if (committer.device !== caller.device || committer.user !== caller.user)
      throw new SottoError(ErrorCode.FORBIDDEN, "the envelope is another device's");
    if (directorySize > directory.size) {
      if (server.standing.lack) throw readOnly();
      throw new SottoError(ErrorCode.BAD_ENVELOPE, "its directory size is not reached");
    }
    // Members look the committer up in the directory of that size, and would be stuck at the record.
    const device = directory.leafAsOf(committer.device, directorySize);
    if (!device)
      throw new SottoError(ErrorCode.BAD_ENVELOPE, "its directory does not hold its committer");
    return device.keys.sign;
  });
  if (parseRoomId(envelope.room) !== room)
    throw new SottoError(ErrorCode.BAD_ENVELOPE, "the envelope is for another room");
  const size = Number(envelope.directorySize);
  for (const { user, device } of leaves(envelope.added)) {
    if (directory.leafAsOf(device, size)?.user !== user)
      throw new SottoError(
        ErrorCode.UNKNOWN_DEVICE,
        "it adds a device that the directory does not hold",
      );
    if (directory.device(device)?.revokedAt !== undefined)
      throw new SottoError(ErrorCode.DEVICE_REVOKED, "it adds a device that is revoked");
    await server.disabled.refuse(user);
  }
  return envelope;
}

/** Users whom the envelope proves to be switched off, and who still are: an old word is good for nothing. */
async function disabledIn(server: Keyserver, envelope: Envelope): Promise<ReadonlySet<UserId>> {
  const now = await server.disabled.all();
  // Before any signature is looked at: more words than people cannot be right.
  const most = Math.min(envelope.removed.length, now.size);
  if (envelope.disabled.length === 0 || envelope.disabled.length > most) return new Set();
  const proven = await provenDisabled(envelope, server.serverKeySha256);
  return new Set([...proven].filter((user) => now.has(user)));
}

async function append(
  server: Keyserver,
  room: RoomId,
  data: Uint8Array,
  key: string,
  expectHandshake: number,
): Promise<Position> {
  const topic = topicOf(room);
  try {
    const appended = await server.log.append({ topic, kind: "h", key, expectHandshake, data });
    return appended.position;
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== "STALE") throw error;
    const handshake = error.handshake ?? (await server.log.head(topic)).handshake;
    throw new SottoError(ErrorCode.STALE, "another handshake record came first", {
      handshake,
      cause: error,
    });
  }
}

/** The record stands, whatever happens now: what the store does not take is folded from the log later. */
async function settle(server: Keyserver, after: Roster, envelope: Envelope): Promise<void> {
  try {
    await server.rosters.put(after);
  } catch (error) {
    server.events.failed(error);
  }
  const users = [...leaves(envelope.added), ...leaves(envelope.removed)].map(({ user }) => user);
  const change = { room: after.room, handshake: after.foldedTo, users: [...new Set(users)] };
  announceRoster(server, change);
  server.events.commitAccepted();
}

async function again(server: Keyserver, { room, foldedTo }: Roster): Promise<Answer> {
  const { incarnation } = await server.log.head(topicOf(room));
  return answerOf({ incarnation, sequence: foldedTo }, true);
}

function answerOf(
  { incarnation, sequence }: { readonly incarnation: string; readonly sequence: number },
  duplicate: boolean,
): Answer {
  const position = { incarnation: fromHex(incarnation), sequence: BigInt(sequence) };
  return { case: "appended", value: { position, duplicate } };
}
