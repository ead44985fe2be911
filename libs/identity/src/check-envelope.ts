import { fromBinary } from "@bufbuild/protobuf";
import {
  type Envelope,
  EnvelopeKind,
  ErrorCode,
  limits,
  parseRoomId,
  parseUserId,
  RoomPolicySchema,
  SottoError,
  toHex,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { directRoomId } from "./direct-room.ts";
import { bad, committerOf, type LeafName } from "./envelope.ts";
import { hasUser, leaves, type Roster } from "./roster.ts";

/**
 * Why an envelope cannot follow a roster, or `undefined` where it can: its place in the room, one kind of
 * change, and who may make it. Signature and directory are looked at elsewhere. Never throws.
 */
export async function checkEnvelope(
  before: Roster | undefined,
  envelope: Envelope,
  roomDevicesMax: number = limits.roomDevicesMax,
): Promise<SottoError | undefined> {
  try {
    const committer = committerOf(envelope);
    const parts = { committer, added: leaves(envelope.added), removed: leaves(envelope.removed) };
    checkForm(envelope, parts);
    if (envelope.kind === EnvelopeKind.CREATE) await checkCreate(before, envelope, parts);
    else checkChange(before, envelope, parts, roomDevicesMax);
    return undefined;
  } catch (error) {
    return error instanceof SottoError ? error : bad("an identifier in it is malformed", error);
  }
}

interface Parts {
  readonly committer: LeafName;
  readonly added: readonly LeafName[];
  readonly removed: readonly LeafName[];
}

function forbidden(why: string): SottoError {
  return new SottoError(ErrorCode.FORBIDDEN, why);
}

/** Rules that hold whatever the room looks like. */
function checkForm(envelope: Envelope, { committer, added, removed }: Parts): void {
  if (envelope.version !== 1)
    throw new SottoError(ErrorCode.UNSUPPORTED_VERSION, "an envelope of another version");
  const named = [...added, ...removed].map(({ device }) => device);
  if (new Set(named).size !== named.length) throw bad("it names a device twice");
  const { kind } = envelope;
  const onlyCommitter = added.length === 1 && added[0]?.device === committer.device;
  if (
    kind === EnvelopeKind.ADD
      ? added.length === 0
      : kind === EnvelopeKind.CREATE || kind === EnvelopeKind.REJOIN
        ? !onlyCommitter
        : added.length > 0
  ) {
    throw bad("its added devices do not fit its kind");
  }
  if ((kind === EnvelopeKind.REMOVE) !== removed.length > 0)
    throw bad("its removed devices do not fit its kind");
  if (added.length > limits.addedDevicesMax)
    throw bad(`it adds more than ${limits.addedDevicesMax} devices`);
  if (kind === EnvelopeKind.UNSPECIFIED || EnvelopeKind[kind] === undefined)
    throw bad("its kind is not known");
  const policed = kind === EnvelopeKind.CREATE || kind === EnvelopeKind.POLICY;
  if (policed !== envelope.policy.length > 0) throw bad("its policy does not fit its kind");
  if (policed) readPolicy(envelope);
}

function readPolicy(envelope: Envelope): UserId[] {
  try {
    return fromBinary(RoomPolicySchema, envelope.policy).admins.map((user) => parseUserId(user));
  } catch (cause) {
    throw bad("its policy cannot be read", cause);
  }
}

async function checkCreate(
  before: Roster | undefined,
  envelope: Envelope,
  { committer }: Parts,
): Promise<void> {
  if (before)
    throw new SottoError(ErrorCode.ROOM_EXISTS, "the room exists already", {
      handshake: before.foldedTo,
    });
  if (
    envelope.previousSequence !== 0n ||
    envelope.previousSha256.length > 0 ||
    envelope.epoch !== 0n
  ) {
    throw bad("a room begins with epoch 0 and nothing before it");
  }
  const room = parseRoomId(envelope.room);
  const direct = envelope.direct.map((user) => parseUserId(user));
  if (direct.length === 0) {
    if (envelope.room.length !== 16) throw bad("a room's id has 16 bytes");
    if (!readPolicy(envelope).includes(committer.user)) throw bad("its creator must be an admin");
    return;
  }
  const [one, other] = direct;
  if (direct.length !== 2 || !one || !other || one >= other || !direct.includes(committer.user)) {
    throw bad("a direct conversation names its two users, sorted, its creator among them");
  }
  if ((await directRoomId(one, other)) !== room) throw bad("its id is not that of its two users");
}

function checkChange(
  before: Roster | undefined,
  envelope: Envelope,
  parts: Parts,
  roomDevicesMax: number,
): void {
  if (!before) throw new SottoError(ErrorCode.UNKNOWN_ROOM, "no such room");
  const { committer, added, removed } = parts;
  const { kind } = envelope;
  if (parseRoomId(envelope.room) !== before.room) throw bad("it is for another room");
  if (envelope.direct.length > 0) throw bad("only a room's first record says that it is direct");
  const member = before.devices.get(committer.device);
  if (
    kind === EnvelopeKind.REJOIN
      ? !hasUser(before, committer.user)
      : member?.user !== committer.user
  ) {
    throw new SottoError(ErrorCode.NOT_A_MEMBER, "its committer is not in the room");
  }
  if (toSafeNumber(envelope.previousSequence) !== before.foldedTo) {
    throw new SottoError(ErrorCode.STALE, "another handshake record came first", {
      handshake: before.foldedTo,
    });
  }
  if (toHex(envelope.previousSha256) !== before.headHash) throw bad("it follows another record");
  if (toSafeNumber(envelope.epoch) !== before.epoch + 1)
    throw bad(`the next epoch is ${before.epoch + 1}`);
  if (kind === EnvelopeKind.ADD) checkAdd(before, added, roomDevicesMax);
  if (kind === EnvelopeKind.REMOVE) checkRemove(before, committer, removed);
  if (kind === EnvelopeKind.POLICY && !before.admins.includes(committer.user)) {
    throw forbidden("only an admin changes the room's policy");
  }
}

function checkAdd(before: Roster, added: readonly LeafName[], roomDevicesMax: number): void {
  if (added.some(({ device }) => before.devices.has(device)))
    throw bad("it adds a device that is in the room");
  if (before.direct.length > 0 && added.some(({ user }) => !before.direct.includes(user))) {
    throw forbidden("a direct conversation has two people");
  }
  if (before.devices.size + added.length > roomDevicesMax) {
    throw new SottoError(ErrorCode.ROOM_FULL, `a room holds at most ${roomDevicesMax} devices`);
  }
}

function checkRemove(before: Roster, committer: LeafName, removed: readonly LeafName[]): void {
  if (removed.some(({ device, user }) => before.devices.get(device)?.user !== user)) {
    throw bad("it removes a device that is not in the room");
  }
  if (removed.some(({ device }) => device === committer.device))
    throw bad("a device cannot remove itself");
  const own = removed.every(({ user }) => user === committer.user);
  if (!own && !before.admins.includes(committer.user))
    throw forbidden("only an admin removes others");
}
