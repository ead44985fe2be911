import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type DeviceId,
  type Envelope,
  EnvelopeKind,
  fromHex,
  type Leaf,
  parseDeviceId,
  parseRoomId,
  parseUserId,
  type RoomId,
  RoomPolicySchema,
  type Roster as RosterMessage,
  RosterSchema,
  toHex,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { committerOf, type LeafName } from "./envelope.ts";

export interface RosterDevice extends LeafName {
  /** Sequence of the record that let it in. */
  readonly entered: number;
}

/** Who is in a room: the fold of its accepted envelopes, and nothing else. */
export interface Roster {
  readonly room: RoomId;
  /** Sequence of the last envelope folded in. */
  readonly foldedTo: number;
  /** SHA-256 of that record as stored, hex. */
  readonly headHash: string;
  readonly epoch: number;
  readonly devices: ReadonlyMap<DeviceId, RosterDevice>;
  readonly admins: readonly UserId[];
  /** Users who were members and are not any more. */
  readonly former: readonly UserId[];
  /** The two users of a direct conversation, sorted; empty otherwise. */
  readonly direct: readonly UserId[];
  /** The largest directory size that a record named: whoever was revoked by then commits nothing any more. */
  readonly directorySize: number;
}

/** True where a device of the user is in the room. */
export function hasUser(roster: Roster, user: UserId): boolean {
  for (const device of roster.devices.values()) if (device.user === user) return true;
  return false;
}

/** True for a direct conversation of two others: its id can be guessed, so that it is there must not show. */
export function isHiddenFrom(roster: Roster, user: UserId): boolean {
  return roster.direct.length > 0 && !roster.direct.includes(user);
}

/** Users with a device in the room. */
export function usersOf(roster: Roster): Set<UserId> {
  return new Set([...roster.devices.values()].map(({ user }) => user));
}

/**
 * Folds an accepted envelope in. `sequence` and `sha256` (hex) are those of its record. A pure function:
 * whoever folds the same records has the same roster.
 */
export function foldRoster(
  before: Roster | undefined,
  envelope: Envelope,
  sequence: number,
  sha256: string,
): Roster {
  const devices = new Map(before?.devices);
  const usersBefore = before ? usersOf(before) : new Set<UserId>();
  for (const { device } of leaves(envelope.removed)) devices.delete(device);
  for (const { user, device } of entering(envelope))
    devices.set(device, { user, device, entered: sequence });
  const present = new Set([...devices.values()].map(({ user }) => user));
  const gone = [...usersBefore].filter((user) => !present.has(user));
  const former = [...new Set([...(before?.former ?? []), ...gone])].filter(
    (user) => !present.has(user),
  );
  return {
    room: before?.room ?? parseRoomId(envelope.room),
    foldedTo: sequence,
    headHash: sha256,
    epoch: toSafeNumber(envelope.epoch),
    devices,
    admins: adminsOf(envelope) ?? before?.admins ?? [],
    former,
    direct: before?.direct ?? envelope.direct.map((user) => parseUserId(user)),
    directorySize: Math.max(before?.directorySize ?? 0, toSafeNumber(envelope.directorySize)),
  };
}

/**
 * The roster after a record that everybody passes over, because it breaks the rules: nobody comes or goes, and
 * the next record follows it. `next`: its envelope, where it could be read.
 */
export function passOver(
  before: Roster,
  sequence: number,
  next?: { readonly sha256: string; readonly epoch: number },
): Roster {
  if (!next) return { ...before, foldedTo: sequence };
  const epoch = next.epoch === before.epoch + 1 ? next.epoch : before.epoch;
  return { ...before, foldedTo: sequence, headHash: next.sha256, epoch };
}

/** Devices that an envelope lets in. */
function entering(envelope: Envelope): LeafName[] {
  if (envelope.kind === EnvelopeKind.CREATE || envelope.kind === EnvelopeKind.REJOIN)
    return [committerOf(envelope)];
  return envelope.kind === EnvelopeKind.ADD ? leaves(envelope.added) : [];
}

/** The admins that an envelope's policy names, where it carries one. */
function adminsOf(envelope: Envelope): UserId[] | undefined {
  if (envelope.kind !== EnvelopeKind.CREATE && envelope.kind !== EnvelopeKind.POLICY)
    return undefined;
  return fromBinary(RoomPolicySchema, envelope.policy).admins.map((user) => parseUserId(user));
}

/** Parsed leaves. Throws `IdError`. */
export function leaves(list: readonly Leaf[]): LeafName[] {
  return list.map(({ user, device }) => ({
    user: parseUserId(user),
    device: parseDeviceId(device),
  }));
}

/** The roster as a message. */
export function rosterToMessage(roster: Roster): RosterMessage {
  const init: MessageInitShape<typeof RosterSchema> = {
    room: fromHex(roster.room),
    foldedTo: BigInt(roster.foldedTo),
    devices: [...roster.devices.values()].map(({ user, device, entered }) => ({
      user: fromHex(user),
      device: fromHex(device),
      entered: BigInt(entered),
    })),
    admins: roster.admins.map((user) => fromHex(user)),
    former: roster.former.map((user) => fromHex(user)),
    direct: roster.direct.map((user) => fromHex(user)),
    headHash: fromHex(roster.headHash),
    epoch: BigInt(roster.epoch),
    directorySize: BigInt(roster.directorySize),
  };
  return create(RosterSchema, init);
}

/** The roster in a message. Throws `IdError`. */
export function rosterFromMessage(message: RosterMessage): Roster {
  return {
    room: parseRoomId(message.room),
    foldedTo: toSafeNumber(message.foldedTo),
    headHash: toHex(message.headHash),
    epoch: toSafeNumber(message.epoch),
    devices: new Map(
      message.devices.map((entry) => {
        const device = parseDeviceId(entry.device);
        return [
          device,
          { device, user: parseUserId(entry.user), entered: toSafeNumber(entry.entered) },
        ];
      }),
    ),
    admins: message.admins.map((user) => parseUserId(user)),
    former: message.former.map((user) => parseUserId(user)),
    direct: message.direct.map((user) => parseUserId(user)),
    directorySize: toSafeNumber(message.directorySize),
  };
}
