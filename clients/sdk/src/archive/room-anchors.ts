import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Roster, rosterFromMessage, rosterToMessage } from "@sotto/identity";
import { type DeviceId, fromHex, limits, type RoomId, toSafeNumber } from "@sotto/protocol";
import {
  type RoomAnchor as AnchorMessage,
  type ArchivedEntry,
  ArchivedEntrySchema,
  RoomAnchorSchema,
} from "@sotto/protocol/devices";
import type { Checks } from "../checks.ts";
import type { DirectoryReplica } from "../directory/directory-replica.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { Profile } from "../profile.ts";
import { parseRoomState, type RoomState } from "../rooms/room-state.ts";

/**
 * How a device of this user that is in a room has followed it, as the archive holds it: a further device of the user
 * comes into no other room than that, whatever the server shows.
 */
export interface RoomAnchor {
  readonly roster: Roster;
  /** So often the room's log was replaced while this user's devices followed it. */
  readonly resets: number;
  /** Size of the directory by which that device was let in. */
  readonly enteredAtSize: number;
}

/** Whose anchors are looked at, and where they are: the context of a client's rooms. */
export interface Anchored {
  readonly store: ProfileStore;
  readonly profile: Pick<Profile, "user">;
  readonly directory: Pick<DirectoryReplica, "directory">;
  readonly checks: Pick<Checks, "archive">;
}

const last = "9".repeat(16);
const roomsPage = 256;
/** No log is replaced so often; a larger number is somebody's who wants to be right for ever. */
const resetsMax = 65_535;

/**
 * The newest anchor of a room that a device of this user has put into the archive, which is not revoked. How often the log was
 * replaced is taken from no single device where others have said it too: from them on it counts once more at most.
 */
export async function anchorOf(of: Anchored, room: RoomId): Promise<RoomAnchor | undefined> {
  const known = await anchorsOf(of, room);
  const [first, ...rest] = known;
  if (!first || rest.length === 0) return first;
  const newest = rest.reduce((one, other) => (isBehind(one, other) ? other : one), first);
  const others = known.filter((anchor) => anchor !== newest);
  const most = Math.max(...others.map(({ resets }) => resets));
  return { ...newest, resets: Math.min(newest.resets, most + 1) };
}

/** One of each device at the most. A revoked one is believed nothing any more: whoever has it wrote it, for all one knows. */
async function anchorsOf(
  { store, directory, profile, checks }: Anchored,
  room: RoomId,
): Promise<RoomAnchor[]> {
  const anchors: RoomAnchor[] = [];
  for (const { id, revokedAt } of directory.directory.user(profile.user)?.devices ?? []) {
    if (checks.archive && revokedAt !== undefined) continue;
    const anchor = await anchorBy(store, room, id);
    if (anchor) anchors.push(anchor);
  }
  return anchors;
}

async function anchorBy(store: ProfileStore, room: RoomId, writer: DeviceId) {
  const bytes = await store.get("meta", metaKey(room, writer));
  return bytes && readAnchor(room, fromBinary(RoomAnchorSchema, bytes));
}

/** The change by which the archive is to hold how this device knows the room now; none where it is not in it. */
export function anchorDue({ room, phase, roster }: RoomState): StoreChange[] {
  if (phase !== "active" || !roster) return [];
  return [{ table: "archive-queue", key: queueKey(room, roster.foldedTo), value: empty }];
}

/**
 * As `anchorDue`, of those rooms of which no device that is good has put into the archive what this one knows: nothing,
 * something older, or something else.
 */
export async function queueAnchors(of: Anchored, states: readonly RoomState[]): Promise<void> {
  const due: StoreChange[] = [];
  for (const state of states) {
    const known = await anchorsOf(of, state.room);
    if (!known.some((anchor) => isSame(anchor, state))) due.push(...anchorDue(state));
  }
  await of.store.commit(due);
}

/** As `anchorDue`, of all rooms in the store. */
export async function queueAllAnchors(store: ProfileStore): Promise<void> {
  for (let after = ""; ; ) {
    const page = await store.scan("rooms", { after, limit: roomsPage });
    await store.commit(page.flatMap(({ value }) => anchorDue(parseRoomState(value))));
    if (page.length < roomsPage) return;
    after = page.at(-1)?.key ?? after;
  }
}

/** The room of an entry of the queue that asks for an anchor, and up to where; `undefined` for any other entry. */
export function queuedAnchor(key: string): { room: RoomId; foldedTo: number } | undefined {
  const [, foldedTo, room] = /^9{16}\.(\d{16})\.([0-9a-f]+)\.anchor$/.exec(key) ?? [];
  return room === undefined ? undefined : { room: room as RoomId, foldedTo: Number(foldedTo) };
}

/** What the archive is to hold for an entry of the queue; `undefined` where a newer one is queued, or none is due. */
export async function archivedAnchor(
  store: ProfileStore,
  { room, foldedTo }: { readonly room: RoomId; readonly foldedTo: number },
): Promise<ArchivedEntry | undefined> {
  const bytes = await store.get("rooms", room);
  const state = bytes && parseRoomState(bytes);
  if (state?.phase !== "active" || state.roster?.foldedTo !== foldedTo) return undefined;
  const { roster, enteredAtSize } = state;
  const resets = resetsOf(state);
  const anchor = { roster: rosterToMessage(roster), resets, enteredAtSize: BigInt(enteredAtSize) };
  return create(ArchivedEntrySchema, { room: fromHex(room), anchor });
}

/** Changes by which an anchor in the archive becomes known here as its writer's; nothing where a newer one of it is. */
export async function takeAnchor(
  store: ProfileStore,
  room: RoomId,
  message: AnchorMessage,
  writer: DeviceId,
): Promise<StoreChange[]> {
  const anchor = readAnchor(room, message);
  if (!anchor) return [];
  const changes: StoreChange[] = [];
  const own = await store.get("rooms", room);
  // It is in the archive: this device need not add it. Where it knows the room otherwise, it says so there.
  if (own && isSame(anchor, parseRoomState(own))) {
    const key = queueKey(room, anchor.roster.foldedTo);
    changes.push({ table: "archive-queue", key, value: undefined });
  }
  const known = await anchorBy(store, room, writer);
  if (known && !isBehind(known, anchor)) return changes;
  const value = toBinary(RoomAnchorSchema, message);
  return [...changes, { table: "meta", key: metaKey(room, writer), value }];
}

function isBehind(known: RoomAnchor, other: RoomAnchor): boolean {
  if (known.resets !== other.resets) return known.resets < other.resets;
  return known.roster.foldedTo < other.roster.foldedTo;
}

/** True where the anchor says how this device itself knows the room. */
function isSame({ roster, resets }: RoomAnchor, state: RoomState): boolean {
  const { foldedTo, headHash } = roster;
  const own = state.roster;
  return resets === resetsOf(state) && foldedTo === own?.foldedTo && headHash === own.headHash;
}

function resetsOf({ resets }: RoomState): number {
  return Math.min(resets, resetsMax);
}

function readAnchor(room: RoomId, message: AnchorMessage): RoomAnchor | undefined {
  try {
    if (!message.roster || message.roster.devices.length > limits.roomDevicesMax) return undefined;
    if (message.resets > resetsMax) return undefined;
    const roster = rosterFromMessage(message.roster);
    const enteredAtSize = toSafeNumber(message.enteredAtSize);
    return roster.room === room ? { roster, resets: message.resets, enteredAtSize } : undefined;
  } catch {
    return undefined;
  }
}

/** One for each of the user's devices: none says anything in the place of another. */
function metaKey(room: RoomId, writer: DeviceId): string {
  return `anchor/${room}/${writer}`;
}

/** Behind all that was said: one of each record, so that none is struck for an older one. */
function queueKey(room: RoomId, foldedTo: number): string {
  return `${last}.${String(foldedTo).padStart(16, "0")}.${room}.anchor`;
}

const empty = new Uint8Array();
