import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Roster, rosterFromMessage, rosterToMessage } from "@sotto/identity";
import {
  type DeviceId,
  fromHex,
  parseRoomId,
  type RoomId,
  RosterSchema,
  toHex,
} from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import { nothingTold, type Telling } from "../history/telling.ts";
import type { StoreChange } from "../ports/profile-store.ts";

/**
 * - `entering`: the server's roster has this device, its group is not joined yet;
 * - `active`: joined;
 * - `lost`: this device's group state cannot go on; it comes back by an external commit;
 * - `left`: removed, or the server has this device in it no more. History stays.
 */
export type RoomPhase = "entering" | "active" | "lost" | "left";

/** A place in a room's log, which may count anew: the server sets it back, or shows a part of it once more. */
export interface LogPlace {
  /** Which reading of the log the sequence was read in. */
  readonly reading: number;
  readonly sequence: number;
}

/** True where a place is not behind another one: none of an earlier reading is, whatever its sequence. */
export function isUpTo(place: LogPlace, other: LogPlace): boolean {
  return place.reading === other.reading
    ? place.sequence <= other.sequence
    : place.reading < other.reading;
}

/** A commit of this device that is on its way: its record's hash, and what to do when it wins. */
export interface PendingRecord {
  readonly sha256: string;
  /** The staged commit, or for CREATE and REJOIN the group that begins with it. */
  readonly staged: Uint8Array;
  readonly begins: boolean;
}

/** What a device keeps of one room beside the group state. */
export interface RoomState {
  readonly room: RoomId;
  phase: RoomPhase;
  incarnation: string;
  /** Sequence of the last record that was processed. */
  cursor: number;
  /** SHA-256 (hex) of that record; empty where it is not known. */
  cursorSha256: string;
  /** Goes up each time that the cursor goes back: sequences of two readings do not compare. */
  reading: number;
  /** The room's log was replaced, and is not read to its head since. */
  readAnew: boolean;
  /** So often it was set back while this user's devices followed it. */
  resets: number;
  roster: Roster | undefined;
  title: string;
  /** Sequence of the external commit of a device that has not heard the title since; 0 where all have. */
  titleOwed: number;
  /** Counts this device's messages in this room. */
  senderSequence: number;
  /** Hash of this device's Content before, hex; empty before the first. */
  previousSha256: string;
  /** Sequences that messages had which were taken back; told by the next message. */
  withdrawn: readonly number[];
  /** Generations below this one may have been used in this epoch. */
  reserved: { readonly epoch: number; readonly generation: number } | undefined;
  pending: PendingRecord | undefined;
  /** Commits of this device that were given up, and may still turn out to have won. Until the next handshake record. */
  given: readonly PendingRecord[];
  /** SHA-256 (hex) of the tree that this device must still upload, after a commit of its own won. */
  owedTree: string;
  /** When this device's leaf got its keys (ms), and how many messages it had sent by then. */
  renewed: { readonly at: number; readonly sent: number };
  /** People whose commits since the last good one do not fit what this device has of the group. */
  contradictedBy: readonly string[];
  /** Devices that are in the group and not in the roster: their removal was skipped. */
  unremoved: readonly string[];
  /** The policy (hex) of the group, and those that were set since and that it may have. */
  policies: readonly string[];
  /** The roster after the last record that was followed, where this device passed over others since. */
  followed: Roster | undefined;
  /** Up to here people were told of what was passed over. */
  toldTo: number;
  /** Size of the directory by which this device was let in: it does not know who had left by then. */
  enteredAtSize: number;
  /** Why this device had to come back; empty where it did not. */
  lostBecause: string;
  /** The newest epoch of the group that this device was in. */
  epochSeen: number;
  /** Times (ms) of the last external commits of this device. */
  rejoins: readonly number[];
  /** By user and by device: from where on each has been in the room, as far as this device saw it. */
  since: Readonly<Record<string, LogPlace>>;
  /** Handshake records that won and that everybody skips; named by the next commit. */
  skipped: readonly number[];
  /** Who lacks what was said before, and who was told. */
  telling: Telling;
}

/** A room that this device has just heard of: nothing processed before `entered`. */
export function newRoomState(room: RoomId, entered: number): RoomState {
  return {
    room,
    phase: "entering",
    incarnation: "",
    cursor: Math.max(0, entered - 1),
    cursorSha256: "",
    reading: 0,
    readAnew: false,
    resets: 0,
    roster: undefined,
    title: "",
    titleOwed: 0,
    senderSequence: 0,
    previousSha256: "",
    withdrawn: [],
    reserved: undefined,
    pending: undefined,
    given: [],
    owedTree: "",
    renewed: { at: 0, sent: 0 },
    contradictedBy: [],
    unremoved: [],
    policies: [],
    followed: undefined,
    toldTo: 0,
    enteredAtSize: 0,
    lostBecause: "",
    epochSeen: 0,
    rejoins: [],
    since: {},
    skipped: [],
    telling: nothingTold,
  };
}

/** True while the server alone speaks of the room: no record has let this device in yet, nor is one of its own on its way. */
export function isHearsay({ phase, roster, pending }: RoomState): boolean {
  return phase !== "left" && !roster && !pending;
}

/**
 * True where `device` is known to be out by a record of a member, and not by the server's word alone. A room without a
 * roster is one that is remembered from there.
 */
export function wasTakenOut({ phase, roster }: RoomState, device: DeviceId): boolean {
  return phase === "left" && roster?.devices.has(device) !== true;
}

/** The change that stores the state. */
export function roomChange(state: RoomState): StoreChange {
  const { roster, followed, pending, given, ...rest } = state;
  const json = {
    version: 1,
    ...rest,
    roster: roster && rosterHex(roster),
    followed: followed && rosterHex(followed),
    pending: pending && pendingJson(pending),
    given: given.map(pendingJson),
  };
  return { table: "rooms", key: state.room, value: utf8(JSON.stringify(json)) };
}

/** The state in a stored value. */
export function parseRoomState(value: Uint8Array): RoomState {
  const json = JSON.parse(textOf(value));
  // Stored by a version that came back without knowing who is there: what others know of the room counts.
  const roster = json.rosterHasGaps ? undefined : parseRoster(json.roster);
  return {
    room: parseRoomId(String(json.room)),
    phase: json.phase,
    incarnation: json.incarnation,
    cursor: json.cursor,
    cursorSha256: json.cursorSha256 ?? "",
    reading: json.reading ?? 0,
    readAnew: json.readAnew ?? false,
    resets: json.resets ?? 0,
    roster,
    title: json.title,
    titleOwed: json.titleOwed ?? 0,
    senderSequence: json.senderSequence,
    previousSha256: json.previousSha256,
    withdrawn: json.withdrawn ?? [],
    reserved: json.reserved,
    pending: json.pending && parsePending(json.pending),
    given: (json.given ?? []).map(parsePending),
    owedTree: json.owedTree ?? "",
    renewed: json.renewed ?? { at: 0, sent: json.senderSequence },
    contradictedBy: json.contradictedBy ?? [],
    unremoved: json.unremoved ?? [],
    policies: json.policies ?? [],
    followed: parseRoster(json.followed),
    toldTo: json.toldTo ?? 0,
    enteredAtSize: json.enteredAtSize ?? 0,
    lostBecause: json.lostBecause ?? "",
    epochSeen: json.epochSeen ?? 0,
    rejoins: json.rejoins ?? [],
    since: json.since ? parseSince(json.since) : sinceOf(roster, {}, json.reading ?? 0),
    skipped: json.skipped,
    telling: { ...nothingTold, entered: json.telling?.missing ?? 0, ...json.telling },
  };
}

/** A roster as stored JSON holds it. */
export function rosterHex(roster: Roster): string {
  return toHex(toBinary(RosterSchema, rosterToMessage(roster)));
}

/** The roster in a stored value; `undefined` where there is none. */
export function parseRoster(hex: string | undefined): Roster | undefined {
  return hex ? rosterFromMessage(fromBinary(RosterSchema, fromHex(hex))) : undefined;
}

type PendingJson = Omit<PendingRecord, "staged"> & { readonly staged: string };

function pendingJson(pending: PendingRecord): PendingJson {
  return { ...pending, staged: toHex(pending.staged) };
}

function parsePending(json: PendingJson): PendingRecord {
  return { ...json, staged: fromHex(json.staged) };
}

/** Of profiles of before, which did not tell readings apart: sequences alone. */
function parseSince(json: Readonly<Record<string, LogPlace | number>>): Record<string, LogPlace> {
  const places = Object.entries(json).map(([id, place]) => [
    id,
    typeof place === "number" ? { reading: 0, sequence: place } : place,
  ]);
  return Object.fromEntries(places);
}

/** Commits that are remembered as given up. */
const givenMax = 3;

/** Gives up a commit that is on its way: should it win nevertheless, its record finds what it staged. */
export function giveUp(state: RoomState): void {
  if (!state.pending) return;
  state.given = [...state.given, state.pending].slice(-givenMax);
  state.pending = undefined;
}

/** Back to the last record that was followed: what comes after it is read once more. */
export function rewind(state: RoomState): void {
  const roster = state.followed ?? state.roster;
  if (!roster) return;
  const { foldedTo, headHash } = roster;
  state.roster = roster;
  state.followed = undefined;
  state.skipped = state.skipped.filter((sequence) => sequence <= foldedTo);
  if (foldedTo >= state.cursor) return;
  state.reading += 1;
  state.cursor = foldedTo;
  state.cursorSha256 = headHash;
}

/** Since when everybody of a roster has been there: as known before, else since the device entered in this reading. */
export function sinceOf(
  roster: Roster | undefined,
  before: Readonly<Record<string, LogPlace>>,
  reading: number,
): Record<string, LogPlace> {
  const since: Record<string, LogPlace> = {};
  for (const { user, device, entered } of roster?.devices.values() ?? []) {
    const comes = { reading, sequence: entered };
    since[device] = before[device] ?? comes;
    const ofUser = before[user] ?? comes;
    const other = since[user];
    since[user] = other && isUpTo(other, ofUser) ? other : ofUser;
  }
  return since;
}
