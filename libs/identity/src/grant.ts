import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  arrivalInput,
  type DeviceId,
  fromHex,
  GrantSchema,
  grantInput,
  parseDeviceId,
  parseRoomId,
  parseUserId,
  type RoomId,
  SignedGrantSchema,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import type { Directory, DirectoryUser } from "./directory.ts";
import { type Signer, verifyEd25519 } from "./ed25519.ts";
import type { LeafName } from "./envelope.ts";
import { readExact } from "./exact-message.ts";

/** What an inviter grants to whoever arrives with an invite. */
export interface RoomGrant {
  readonly inviter: LeafName;
  /** The invite's Ed25519 public key. */
  readonly inviteKey: Uint8Array;
  readonly rooms: readonly RoomId[];
  /** Wall time, ms; 0 never. */
  readonly expiresAt: number;
}

/** Encodes and signs a grant with the inviter's signing key. */
export async function createGrant(
  grant: RoomGrant,
  signer: Signer,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = toBinary(
    GrantSchema,
    create(GrantSchema, {
      version: 1,
      inviter: { user: fromHex(grant.inviter.user), device: fromHex(grant.inviter.device) },
      inviteKey: grant.inviteKey,
      rooms: grant.rooms.map((room) => fromHex(room)),
      expiresAtMs: BigInt(grant.expiresAt),
    }),
  );
  const signature = await signer.sign(grantInput(bytes));
  return toBinary(SignedGrantSchema, create(SignedGrantSchema, { grant: bytes, signature }));
}

/** The grant in encoded form, its signature not looked at; `undefined` where it cannot be read. */
export function decodeGrant(bytes: Uint8Array): RoomGrant | undefined {
  try {
    const message = fromBinary(GrantSchema, readExact(SignedGrantSchema, bytes).grant);
    if (message.version !== 1 || !message.inviter || message.inviteKey.length !== 32)
      return undefined;
    return {
      inviter: {
        user: parseUserId(message.inviter.user),
        device: parseDeviceId(message.inviter.device),
      },
      inviteKey: message.inviteKey,
      rooms: message.rooms.map((room) => parseRoomId(room)),
      expiresAt: toSafeNumber(message.expiresAtMs),
    };
  } catch {
    return undefined;
  }
}

/**
 * The grant where the inviter's key has signed it; otherwise `undefined`. `keyOf` must answer only where the
 * directory knows the device as one of this very user: whoever signs with a device of their own may name anybody
 * as the inviter. `openGrant` looks that up itself.
 */
export async function verifyGrant(
  bytes: Uint8Array,
  keyOf: (device: DeviceId, user: UserId) => Uint8Array | undefined,
): Promise<RoomGrant | undefined> {
  const grant = decodeGrant(bytes);
  const key = grant && keyOf(grant.inviter.device, grant.inviter.user);
  if (!key) return undefined;
  const signed = readExact(SignedGrantSchema, bytes);
  return (await verifyEd25519(key, grantInput(signed.grant), signed.signature)) ? grant : undefined;
}

/**
 * The grant where it is signed by a device that the directory knows as one of the inviter's and that is not
 * revoked; otherwise `undefined`. Whether the inviter may let people into a room is for the room to say.
 */
export function openGrant(
  bytes: Uint8Array,
  directory: Pick<Directory, "device">,
): Promise<RoomGrant | undefined> {
  return verifyGrant(bytes, (id, user) => {
    const device = directory.device(id);
    const may = device?.user === user && device.kind === "device";
    return may && device.revokedAt === undefined ? device.keys.sign : undefined;
  });
}

/** Who arrives with an invite: account, first device, and the keys that the proof ties to it. */
export interface Newcomer {
  readonly user: UserId;
  readonly device: DeviceId;
  /** The device's signing key. */
  readonly sign: Uint8Array;
  /** The device's MLS leaf key. */
  readonly mls: Uint8Array;
}

/** A newcomer's proof that it holds the invite. */
export async function arrivalProof(inviteKey: Signer, newcomer: Newcomer): Promise<Uint8Array> {
  const { user, device, sign, mls } = newcomer;
  return await inviteKey.sign(
    arrivalInput({ user: fromHex(user), device: fromHex(device), sign, mls }),
  );
}

/** True where a newcomer's proof is by the invite's key. Never throws. */
export function verifyArrival(
  inviteKey: Uint8Array,
  newcomer: Newcomer,
  proof: Uint8Array,
): Promise<boolean> {
  const { user, device, sign, mls } = newcomer;
  if (sign.length !== 32 || mls.length !== 32) return Promise.resolve(false);
  const input = arrivalInput({ user: fromHex(user), device: fromHex(device), sign, mls });
  return verifyEd25519(inviteKey, input, proof);
}

/**
 * True where the person came with the invite of the grant, before it expired by the record's own time. The
 * proof itself was verified when the directory took the record in.
 */
export function arrivedWith(person: DirectoryUser, arrivedAt: number, grant: RoomGrant): boolean {
  const { key } = person.invite;
  const same =
    key.length === grant.inviteKey.length && key.every((byte, i) => byte === grant.inviteKey[i]);
  return same && (grant.expiresAt === 0 || arrivedAt <= grant.expiresAt);
}
