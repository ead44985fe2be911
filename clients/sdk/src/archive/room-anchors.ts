import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Roster, rosterFromMessage, rosterToMessage } from "@sotto/identity";
import { fromHex, limits, type RoomId, toSafeNumber } from "@sotto/protocol";
import {
  type RoomAnchor as AnchorMessage,
  type ArchivedEntry,
  ArchivedEntrySchema,
  RoomAnchorSchema,
} from "@sotto/protocol/devices";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
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

const last = "9".repeat(16);
const roomsPage = 256;

/** The newest anchor of a room that the archive has told of. */
export async function anchorOf(store: ProfileStore, room: RoomId): Promise<RoomAnchor | undefined> {
  const bytes = await store.get("meta", metaKey(room));
  return bytes && readAnchor(room, fromBinary(RoomAnchorSchema, bytes));
}

/** The change by which the archive is to hold how this device knows the room now; none where it is not in it. */
export function anchorDue({ room, phase, roster, rosterHasGaps }: RoomState): StoreChange[] {
  if (phase !== "active" || !roster || rosterHasGaps) return [];
  return [{ table: "archive-queue", key: queueKey(room, roster.foldedTo), value: empty }];
}

/** As `anchorDue`, of those rooms of which the archive holds an older anchor or none. */
export async function queueAnchors(
  store: ProfileStore,
  states: readonly RoomState[],
): Promise<void> {
  const due: StoreChange[] = [];
  for (const state of states) {
    const known = await anchorOf(store, state.room);
    if (!known || isBehind(known, state)) due.push(...anchorDue(state));
  }
  await store.commit(due);
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
  const { roster, resets, enteredAtSize } = state;
  const anchor = { roster: rosterToMessage(roster), resets, enteredAtSize: BigInt(enteredAtSize) };
  return create(ArchivedEntrySchema, { room: fromHex(room), anchor });
}

/** Changes by which an anchor in the archive becomes known here; nothing where a newer one is. */
export async function takeAnchor(
  store: ProfileStore,
  room: RoomId,
  message: AnchorMessage,
): Promise<StoreChange[]> {
  const anchor = readAnchor(room, message);
  if (!anchor) return [];
  const known = await anchorOf(store, room);
  const { foldedTo } = anchor.roster;
  // It is in the archive: this device need not add it.
  const struck = {
    table: "archive-queue",
    key: queueKey(room, foldedTo),
    value: undefined,
  } as const;
  if (known && !isBehind(known, anchor)) return [struck];
  return [
    struck,
    { table: "meta", key: metaKey(room), value: toBinary(RoomAnchorSchema, message) },
  ];
}

function isBehind(known: RoomAnchor, other: Pick<RoomState, "resets" | "roster">): boolean {
  if (known.resets !== other.resets) return known.resets < other.resets;
  return known.roster.foldedTo < (other.roster?.foldedTo ?? 0);
}

function readAnchor(room: RoomId, message: AnchorMessage): RoomAnchor | undefined {
  try {
    if (!message.roster || message.roster.devices.length > limits.roomDevicesMax) return undefined;
    const roster = rosterFromMessage(message.roster);
    const enteredAtSize = toSafeNumber(message.enteredAtSize);
    return roster.room === room ? { roster, resets: message.resets, enteredAtSize } : undefined;
  } catch {
    return undefined;
  }
}

function metaKey(room: RoomId): string {
  return `anchor/${room}`;
}

/** Behind all that was said: one of each record, so that none is struck for an older one. */
function queueKey(room: RoomId, foldedTo: number): string {
  return `${last}.${String(foldedTo).padStart(16, "0")}.${room}.anchor`;
}

const empty = new Uint8Array();
