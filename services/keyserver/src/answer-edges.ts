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
  toSafeNumber,
} from "@sotto/protocol";
import type { Keyserver } from "./commands/command.ts";

/** Vouches for an edge's certificate key with the server identity key. */
export async function certify(
  server: Keyserver,
  identityKey: Signer,
  { spkiSha256 }: CertifyRequest,
): Promise<MessageInitShape<typeof CertifyResponseSchema>> {
  if (spkiSha256.length !== 32)
    throw new SottoError(ErrorCode.BAD_REQUEST, "a SHA-256 has 32 bytes");
  const { certificateBackdatedMs, certificateValidMs } = server.limits;
  const now = server.clock.now();
  const notBeforeMs = now - certificateBackdatedMs;
  const notAfterMs = now + certificateValidMs;
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

/** Who logs in? Also what another replica has stored is seen: nobody logs in after a revocation stands. */
export async function device(
  server: Keyserver,
  request: DeviceRequest,
): Promise<MessageInitShape<typeof DeviceResponseSchema>> {
  const { directory } = server.state;
  const id = parseDeviceId(request.device);
  await server.state.catchUp();
  const found = directory.device(id);
  if (!found) return { known: false };
  return {
    known: true,
    user: fromHex(found.user),
    authKey: found.keys.auth,
    revoked: found.revokedAt !== undefined,
    directorySize: BigInt(directory.size),
    keyPackagesLeft: await server.store.countKeyPackages(id),
    disabled: await server.disabled.has(found.user),
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

/** What changed since an edge asked last: roster changes as `RecentChanges` knows them, and all revocations. */
export async function confirm(
  server: Keyserver,
  request: ConfirmRequest,
): Promise<MessageInitShape<typeof ConfirmResponseSchema>> {
  await server.state.catchUp();
  const { directory } = server.state;
  const { changes: known } = server;
  const { cursor, changes } = known.since(request.incarnation, toSafeNumber(request.cursor));
  const revoked = directory.revokedSince(toSafeNumber(request.directorySize));
  return {
    incarnation: known.incarnation,
    cursor: BigInt(cursor),
    reset: changes === undefined,
    changes: (changes ?? []).map(({ room, handshake, users }) => ({
      room: fromHex(room),
      handshake: BigInt(handshake),
      users: users.map((user) => fromHex(user)),
    })),
    directorySize: BigInt(directory.size),
    revokedDevices: revoked.map(({ id }) => fromHex(id)),
    disabledUsers: [...(await server.disabled.all()).keys()].map((user) => fromHex(user)),
    altered: server.state.isAltered,
  };
}
