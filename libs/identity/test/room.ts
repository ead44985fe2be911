import { create, toBinary } from "@bufbuild/protobuf";
import {
  type Envelope,
  EnvelopeKind,
  EnvelopeSchema,
  fromHex,
  parseDeviceId,
  parseRoomId,
  parseUserId,
  type RoomId,
  RoomPolicySchema,
  type UserId,
} from "@sotto/protocol";
import { foldRoster, type LeafName, type Roster } from "../src/index.ts";
import { randomBytes } from "./person.ts";

export function leafOf(user: UserId = parseUserId(randomBytes(16))): LeafName {
  return { user, device: parseDeviceId(randomBytes(16)) };
}

export function policyOf(...admins: readonly UserId[]): Uint8Array<ArrayBuffer> {
  const message = create(RoomPolicySchema, { admins: admins.map((user) => fromHex(user)) });
  return toBinary(RoomPolicySchema, message);
}

export interface EnvelopeChange {
  readonly kind: EnvelopeKind;
  readonly by: LeafName;
  readonly added?: readonly LeafName[];
  readonly removed?: readonly LeafName[];
  readonly policy?: Uint8Array;
  readonly direct?: readonly UserId[];
  readonly directorySize?: number;
}

/** The envelope that makes `change` after `before`, and `faults` in it. */
export function envelopeOf(
  room: RoomId,
  before: Roster | undefined,
  change: EnvelopeChange,
  faults: Partial<Envelope> = {},
): Envelope {
  const leaf = ({ user, device }: LeafName) => ({ user: fromHex(user), device: fromHex(device) });
  const alone = change.kind === EnvelopeKind.CREATE || change.kind === EnvelopeKind.REJOIN;
  const envelope = create(EnvelopeSchema, {
    version: 1,
    room: fromHex(room),
    previousSequence: BigInt(before?.foldedTo ?? 0),
    previousSha256: fromHex(before?.headHash ?? ""),
    epoch: BigInt(before ? before.epoch + 1 : 0),
    kind: change.kind,
    committer: leaf(change.by),
    added: (change.added ?? (alone ? [change.by] : [])).map(leaf),
    removed: (change.removed ?? []).map(leaf),
    policy:
      change.policy ??
      (change.kind === EnvelopeKind.CREATE ? policyOf(change.by.user) : new Uint8Array()),
    direct: (change.direct ?? []).map((user) => fromHex(user)),
    directorySize: BigInt(change.directorySize ?? 0),
  });
  return Object.assign(envelope, faults);
}

/** A room's roster as its records are folded, one after another. */
export class TestRoom {
  readonly room: RoomId;
  roster: Roster | undefined;
  #sequence = 0;

  constructor(room: RoomId = parseRoomId(randomBytes(16))) {
    this.room = room;
  }

  envelope(change: EnvelopeChange, faults: Partial<Envelope> = {}): Envelope {
    return envelopeOf(this.room, this.roster, change, faults);
  }

  /** Folds a record in as if it had been accepted. Answers the new roster. */
  fold(change: EnvelopeChange): Roster {
    this.#sequence += 3;
    const sha256 = this.#sequence.toString(16).padStart(64, "0");
    this.roster = foldRoster(this.roster, this.envelope(change), this.#sequence, sha256);
    return this.roster;
  }
}
