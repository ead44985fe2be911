import { create, toBinary } from "@bufbuild/protobuf";
import {
  checkEnvelope,
  foldRoster,
  leaves,
  openEnvelope,
  type Roster,
  sha256Hex,
} from "@sotto/identity";
import { RosterChangeSchema, subjects } from "@sotto/interservice";
import { type Appended, LogError } from "@sotto/log";
import {
  type Envelope,
  ErrorCode,
  fromHex,
  parseRoomId,
  type RoomId,
  SottoError,
} from "@sotto/protocol";
import { topicOf } from "../rosters.ts";
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
  return await server.turns.run(room, async () => {
    const before = await server.rosters.get(room);
    const refusal = await checkEnvelope(before, envelope, server.roomDevicesMax);
    if (refusal) throw refusal;
    const sha256 = await sha256Hex(request.envelope);
    const appended = await append(server, room, request.envelope, sha256, before?.foldedTo ?? 0);
    const { incarnation, sequence } = appended.position;
    const after = foldRoster(before, envelope, sequence, sha256);
    await server.rosters.put(after);
    announce(server, envelope, after);
    server.events.commitAccepted();
    return {
      case: "appended",
      value: {
        position: { incarnation: fromHex(incarnation), sequence: BigInt(sequence) },
        duplicate: appended.duplicate,
      },
    };
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
    if (committer.device !== caller.device || committer.user !== caller.user) {
      throw new SottoError(ErrorCode.FORBIDDEN, "the envelope is another device's");
    }
    if (directorySize > directory.size) await server.state.catchUp();
    if (directorySize > directory.size)
      throw new SottoError(ErrorCode.BAD_ENVELOPE, "its directory size is not reached");
    const device = directory.device(committer.device);
    if (device?.revokedAt !== undefined)
      throw new SottoError(ErrorCode.DEVICE_REVOKED, "that device is revoked");
    return device?.keys.sign;
  });
  if (parseRoomId(envelope.room) !== room)
    throw new SottoError(ErrorCode.BAD_ENVELOPE, "the envelope is for another room");
  for (const { user, device } of leaves(envelope.added)) {
    const known = directory.deviceAsOf(device, Number(envelope.directorySize));
    if (known?.user !== user)
      throw new SottoError(
        ErrorCode.UNKNOWN_DEVICE,
        "it adds a device that the directory does not hold",
      );
    if (directory.device(device)?.revokedAt !== undefined) {
      throw new SottoError(ErrorCode.DEVICE_REVOKED, "it adds a device that is revoked");
    }
  }
  return envelope;
}

async function append(
  server: Keyserver,
  room: RoomId,
  data: Uint8Array,
  key: string,
  expectHandshake: number,
): Promise<Appended> {
  try {
    return await server.log.append({ topic: topicOf(room), kind: "h", key, expectHandshake, data });
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    switch (error.code) {
      case "STALE":
        throw new SottoError(ErrorCode.STALE, "another handshake record came first", {
          handshake: error.handshake ?? (await server.log.head(topicOf(room))).handshake,
        });
      case "FULL":
        throw new SottoError(
          ErrorCode.STORAGE_FULL,
          "the server's disk is full; nothing was stored",
        );
      case "TOO_LARGE":
        throw new SottoError(ErrorCode.TOO_LARGE, "the handshake record is too large");
      default:
        throw new SottoError(ErrorCode.UNAVAILABLE, "the log cannot be reached now", {
          cause: error,
        });
    }
  }
}

function announce(server: Keyserver, envelope: Envelope, after: Roster): void {
  const touched = [...leaves(envelope.added), ...leaves(envelope.removed)].map(({ user }) => user);
  const change = { room: after.room, handshake: after.foldedTo, users: [...new Set(touched)] };
  server.changes.add(change);
  const hint = create(RosterChangeSchema, {
    room: fromHex(change.room),
    handshake: BigInt(change.handshake),
    users: change.users.map((user) => fromHex(user)),
  });
  server.bus.publish(subjects.hintRoster, toBinary(RosterChangeSchema, hint));
}
