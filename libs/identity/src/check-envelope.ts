import { fromBinary } from "@bufbuild/protobuf";
import {
  type Envelope,
  EnvelopeKind,
  ErrorCode,
  limits,
  type Part,
  parseRoomId,
  parseUserId,
  type RoomId,
  RoomPolicySchema,
  SottoError,
  toHex,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { directRoomId } from "./direct-room.ts";
import type { Directory } from "./directory.ts";
import { bad, committerOf, type LeafName } from "./envelope.ts";
import { hasUser, isHiddenFrom, leaves, type Roster } from "./roster.ts";

/** What an envelope is judged by beside the roster that it follows. */
export interface Circumstances {
  readonly roomDevicesMax: number;
  /** Who may be removed by any member; see `removableBy`. */
  readonly removable: (leaf: LeafName) => boolean;
}

/**
 * Whom any member may remove by an envelope: users whom the server's signed word proves to be `disabled`, and
 * devices that the directory as of the envelope's `directory_size` shows as revoked. So all judge alike.
 */
export function removableBy(
  { directorySize }: Envelope,
  directory: Pick<Directory, "deviceAsOf">,
  disabled: ReadonlySet<UserId>,
): Circumstances["removable"] {
  return ({ user, device }) =>
    disabled.has(user) ||
    directory.deviceAsOf(device, Number(directorySize))?.revokedAt !== undefined;
}

/**
 * Why an envelope is none of the room, whatever the room looks like, or `undefined` where it may be one: for who comes
 * into a room and knows no roster of it yet. Never throws.
 */
export function checkEnvelopeForm(room: RoomId, envelope: Envelope): SottoError | undefined {
  try {
    checkForm(envelope, partsOf(envelope));
    if (parseRoomId(envelope.room) !== room) throw bad("it is for another room");
    return undefined;
  } catch (error) {
    return asRefusal(error);
  }
}

/**
 * Why an envelope cannot follow a roster, or `undefined` where it can: its place in the room, one kind of
 * change, and who may make it. Signature, directory and the words that users are disabled are looked at
 * elsewhere. Never throws.
 */
export async function checkEnvelope(
  before: Roster | undefined,
  envelope: Envelope,
  circumstances: Partial<Circumstances> = {},
): Promise<SottoError | undefined> {
  const { roomDevicesMax = limits.roomDevicesMax, removable = () => false } = circumstances;
  try {
    const parts = partsOf(envelope);
    checkForm(envelope, parts);
    if (envelope.kind === EnvelopeKind.CREATE) await checkCreate(before, envelope, parts);
    else checkChange(before, envelope, parts, { roomDevicesMax, removable });
    return undefined;
  } catch (error) {
    return asRefusal(error);
  }
}

function asRefusal(error: unknown): SottoError {
  return error instanceof SottoError ? error : bad("an identifier in it is malformed", error);
}

interface Parts {
  readonly committer: LeafName;
  readonly added: readonly LeafName[];
  readonly removed: readonly LeafName[];
}

function partsOf(envelope: Envelope): Parts {
  const { added, removed } = envelope;
  return { committer: committerOf(envelope), added: leaves(added), removed: leaves(removed) };
}

function forbidden(why: string): SottoError {
  return new SottoError(ErrorCode.FORBIDDEN, why);
}

/** Bytes of a part that travels beside its envelope: the tree of a full room has about 3 MiB. */
const partBytesMax = 16 * 1024 * 1024;

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
  if (envelope.disabled.length > (kind === EnvelopeKind.REMOVE ? removed.length : 0))
    throw bad("it tells of disabled users whom it does not remove");
  if (added.length > limits.addedDevicesMax)
    throw bad(`it adds more than ${limits.addedDevicesMax} devices`);
  if (kind === EnvelopeKind.UNSPECIFIED || EnvelopeKind[kind] === undefined)
    throw bad("its kind is not known");
  const policed = kind === EnvelopeKind.CREATE || kind === EnvelopeKind.POLICY;
  if (policed !== envelope.policy.length > 0) throw bad("its policy does not fit its kind");
  if (policed) readPolicy(envelope);
  for (const part of [envelope.commit, envelope.welcome, envelope.groupInfo, envelope.tree])
    if (part) checkPart(part);
}

/** A part lies in the envelope, or is named by its hash; readers set memory aside by the length that it states. */
function checkPart({ inline, sha256, bytes }: Part): void {
  if (inline.length > limits.inlinePartBytesMax)
    throw bad(`a part of more than ${limits.inlinePartBytesMax} bytes travels beside it`);
  if (sha256.length !== 0 && (sha256.length !== 32 || inline.length > 0))
    throw bad("a part is inline or named by its SHA-256");
  if (bytes > partBytesMax) throw bad(`a part has at most ${partBytesMax} bytes`);
}

function readPolicy(envelope: Envelope): UserId[] {
  let admins: UserId[];
  try {
    admins = fromBinary(RoomPolicySchema, envelope.policy).admins.map((user) => parseUserId(user));
  } catch (cause) {
    throw bad("its policy cannot be read", cause);
  }
  if (new Set(admins).size !== admins.length || admins.length > limits.roomDevicesMax)
    throw bad("its policy names an admin twice, or too many");
  return admins;
}

async function checkCreate(
  before: Roster | undefined,
  envelope: Envelope,
  { committer }: Parts,
): Promise<void> {
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
  } else await checkDirect(envelope, direct, committer, room);
  // Last, so that only who may make a room learns that it exists: a direct one's id can be guessed.
  if (before)
    throw new SottoError(ErrorCode.ROOM_EXISTS, "the room exists already", {
      handshake: before.foldedTo,
    });
}

async function checkDirect(
  envelope: Envelope,
  direct: readonly UserId[],
  committer: LeafName,
  room: RoomId,
): Promise<void> {
  const [one, other] = direct;
  if (direct.length !== 2 || !one || !other || one >= other || !direct.includes(committer.user)) {
    throw bad("a direct conversation names its two users, sorted, its creator among them");
  }
  if ((await directRoomId(one, other)) !== room) throw bad("its id is not that of its two users");
  if (readPolicy(envelope).toSorted().join() !== direct.join())
    throw bad("both people of a direct conversation are its admins");
}

function checkChange(
  before: Roster | undefined,
  envelope: Envelope,
  parts: Parts,
  { roomDevicesMax, removable }: Circumstances,
): void {
  const { committer, added } = parts;
  // A direct conversation's id can be guessed: for anybody else than the two it does not exist.
  if (!before || isHiddenFrom(before, committer.user))
    throw new SottoError(ErrorCode.UNKNOWN_ROOM, "no such room");
  const { kind } = envelope;
  if (parseRoomId(envelope.room) !== before.room) throw bad("it is for another room");
  if (envelope.direct.length > 0) throw bad("only a room's first record says that it is direct");
  const member = before.devices.get(committer.device);
  if (
    kind === EnvelopeKind.REJOIN
      ? !stillHas(before, committer.user, removable)
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
  if (toSafeNumber(envelope.directorySize) < before.directorySize)
    throw bad("it goes by an older directory than a record before it");
  if (kind === EnvelopeKind.ADD) checkAdd(before, added, roomDevicesMax);
  if (kind === EnvelopeKind.REMOVE) checkRemove(before, parts, removable);
  if (kind === EnvelopeKind.REJOIN) checkRoomLeft(before, added, roomDevicesMax);
  if (kind === EnvelopeKind.POLICY) checkPolicy(before, committer, readPolicy(envelope));
}

/** A user whose devices in the room are all revoked has to be added anew, by somebody who sees that. */
function stillHas(
  { devices }: Roster,
  user: UserId,
  removable: Circumstances["removable"],
): boolean {
  return [...devices.values()].some((leaf) => leaf.user === user && !removable(leaf));
}

function checkPolicy(before: Roster, committer: LeafName, admins: readonly UserId[]): void {
  if (!before.admins.includes(committer.user))
    throw forbidden("only an admin changes the room's policy");
  if (before.direct.length > 0)
    throw forbidden("the policy of a direct conversation does not change");
  if (!admins.some((user) => hasUser(before, user)))
    throw bad("it leaves the room without an admin");
}

function checkRoomLeft(before: Roster, added: readonly LeafName[], roomDevicesMax: number): void {
  const fresh = added.filter(({ device }) => !before.devices.has(device)).length;
  if (before.devices.size + fresh > roomDevicesMax)
    throw new SottoError(ErrorCode.ROOM_FULL, `a room holds at most ${roomDevicesMax} devices`);
}

function checkAdd(before: Roster, added: readonly LeafName[], roomDevicesMax: number): void {
  if (added.some(({ device }) => before.devices.has(device)))
    throw bad("it adds a device that is in the room");
  if (before.direct.length > 0 && added.some(({ user }) => !before.direct.includes(user))) {
    throw forbidden("a direct conversation has two people");
  }
  checkRoomLeft(before, added, roomDevicesMax);
}

function checkRemove(
  before: Roster,
  { committer, removed }: Parts,
  removable: Circumstances["removable"],
): void {
  if (removed.some(({ device, user }) => before.devices.get(device)?.user !== user)) {
    throw bad("it removes a device that is not in the room");
  }
  if (removed.some(({ device }) => device === committer.device))
    throw bad("a device cannot remove itself");
  const owed = removed.every((leaf) => leaf.user === committer.user || removable(leaf));
  if (!owed && !before.admins.includes(committer.user))
    throw forbidden("only an admin removes others");
}
