import type { MessageInitShape } from "@bufbuild/protobuf";
import { rosterToMessage, type Signer } from "@sotto/identity";
import type {
  CertifyRequest,
  CertifyResponseSchema,
  ConfirmRequest,
  ConfirmResponseSchema,
  DeviceRequest,
  DeviceResponseSchema,
  RoomsRequest,
  RoomsResponseSchema,
  RosterRequest,
  RosterResponseSchema,
} from "@sotto/interservice";
import {
  certificateInput,
  ErrorCode,
  fromHex,
  parseDeviceId,
  parseRoomId,
  parseUserId,
  SottoError,
  toHex,
  toSafeNumber,
} from "@sotto/protocol";
import type { Keyserver } from "./commands/command.ts";

const certificateValidMs = 7 * 24 * 3600 * 1000;
/** Clocks of clients may be behind. */
const certificateBackdatedMs = 24 * 3600 * 1000;

/** Vouches for an edge's certificate key with the server identity key. */
export async function certify(
  server: Keyserver,
  identityKey: Signer,
  { spkiSha256 }: CertifyRequest,
): Promise<MessageInitShape<typeof CertifyResponseSchema>> {
  if (spkiSha256.length !== 32)
    throw new SottoError(ErrorCode.BAD_REQUEST, "a SHA-256 has 32 bytes");
  const notBeforeMs = server.clock.now() - certificateBackdatedMs;
  const notAfterMs = server.clock.now() + certificateValidMs;
  const signature = await identityKey.sign(
    certificateInput({ spkiSha256, notBeforeMs, notAfterMs }),
  );
  return {
    serverKey: identityKey.publicKey,
    proof: {
      spkiSha256,
      notBeforeMs: BigInt(notBeforeMs),
      notAfterMs: BigInt(notAfterMs),
      signature,
    },
  };
}

/** Who logs in? */
export async function device(
  server: Keyserver,
  request: DeviceRequest,
): Promise<MessageInitShape<typeof DeviceResponseSchema>> {
  const { directory } = server.state;
  const id = parseDeviceId(request.device);
  // Another replica may have registered it a moment ago.
  if (!directory.device(id)) await server.state.catchUp();
  const found = directory.device(id);
  if (!found) return { known: false };
  return {
    known: true,
    user: fromHex(found.user),
    authKey: found.keys.auth,
    revoked: found.revokedAt !== undefined,
    directorySize: BigInt(directory.size),
    keyPackagesLeft: await server.store.countKeyPackages(id),
  };
}

/** Rosters of all rooms of a user. */
export async function rooms(
  server: Keyserver,
  { user }: RoomsRequest,
): Promise<MessageInitShape<typeof RoomsResponseSchema>> {
  return { rosters: (await server.rosters.of(parseUserId(user))).map(rosterToMessage) };
}

/** One room's roster. */
export async function roster(
  server: Keyserver,
  { room }: RosterRequest,
): Promise<MessageInitShape<typeof RosterResponseSchema>> {
  const found = await server.rosters.get(parseRoomId(room));
  return found ? { roster: rosterToMessage(found) } : {};
}

/**
 * What changed since an edge asked last. Own changes are complete; those of another replica come by its hints,
 * and where one was lost, the edge still sees the record itself in the log.
 */
export async function confirm(
  server: Keyserver,
  incarnation: Uint8Array,
  request: ConfirmRequest,
): Promise<MessageInitShape<typeof ConfirmResponseSchema>> {
  await server.state.catchUp();
  const { directory } = server.state;
  const same = toHex(request.incarnation) === toHex(incarnation);
  const changes = same ? server.changes.since(toSafeNumber(request.cursor)) : undefined;
  const seen = toSafeNumber(request.directorySize);
  const revoked = directory
    .users()
    .flatMap(({ devices }) => devices)
    .filter(({ revokedAt }) => revokedAt !== undefined && revokedAt >= seen);
  return {
    incarnation,
    cursor: BigInt(server.changes.cursor),
    reset: changes === undefined,
    changes: (changes ?? []).map(({ room, handshake, users }) => ({
      room: fromHex(room),
      handshake: BigInt(handshake),
      users: users.map((user) => fromHex(user)),
    })),
    directorySize: BigInt(directory.size),
    revokedDevices: revoked.map(({ id }) => fromHex(id)),
  };
}
