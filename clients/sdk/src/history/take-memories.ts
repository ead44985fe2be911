import { fromBinary } from "@bufbuild/protobuf";
import {
  type DeviceId,
  limits,
  type MessageId,
  parseDeviceId,
  parseMessageId,
  parseRoomId,
  parseUserId,
  type RoomId,
  toHex,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { type Content, ContentSchema, type RememberedMessage } from "@sotto/protocol/content";
import type { ArchivedEntry } from "@sotto/protocol/devices";
import { takeAnchor } from "../archive/room-anchors.ts";
import { textOf } from "../bytes.ts";
import { mediaChanges } from "../media/announcements.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { History, Keeping } from "./history.ts";
import type { HistoryEntry, MembershipEntry, PolicyEntry } from "./history-entry.ts";
import { idKey } from "./history-keys.ts";
import { entryOf, remembered, type SaidMessage } from "./said-message.ts";

/** A message that somebody remembers, read and checked for its form. */
export interface Memory {
  readonly said: SaidMessage;
  readonly passOn: boolean;
}

/** What a message says that was remembered of a room; `undefined` where it cannot be one of that room. */
export function readMemory(
  room: RoomId,
  message: RememberedMessage,
  toldBy?: UserId,
): SaidMessage | undefined {
  try {
    const sequence = toSafeNumber(message.sequence);
    if (sequence < 1 || message.content.length > limits.messageBytesMax) return undefined;
    const content: Content = fromBinary(ContentSchema, message.content);
    if (content.version !== 1 || toHex(content.room) !== room) return undefined;
    const id: MessageId = parseMessageId(content.id);
    const sender = parseUserId(message.sender);
    const device = parseDeviceId(message.device);
    const said = { room, sequence, sender, device, id, content, encoded: message.content };
    // Its identifiers are looked at here, where they may still be refused.
    entryOf(said);
    return toldBy ? { ...said, toldBy } : said;
  } catch {
    return undefined;
  }
}

/**
 * Changes by which a message becomes history that this device was not there for; nothing where it has it.
 * The caller holds the room.
 */
export async function takeMemory(
  history: History,
  store: ProfileStore,
  { said, passOn }: Memory,
  archive: boolean,
): Promise<StoreChange[]> {
  const { room, device, id } = said;
  const known = await store.get("history-index", idKey(room, device, id));
  // It is in the archive: this device need not add it.
  if (known) return archive || known.length === 0 ? [] : [struck(textOf(known))];
  const entry = entryOf(said);
  if (!entry) return [history.passed(room, device, id)];
  const keeping: Keeping = { message: remembered(said, passOn), archive };
  const placed = await history.placed(entry, keeping);
  return [...placed, ...(await mediaChanges(store, said))];
}

/** Changes by which what `writer` put into the archive becomes this device's history. The caller holds the room. */
export async function takeArchived(
  history: History,
  store: ProfileStore,
  archived: ArchivedEntry,
  writer: DeviceId,
): Promise<StoreChange[]> {
  const room = roomOf(archived);
  if (!room) return [];
  const { message, toldBy, passOn, anchor } = archived;
  if (anchor) return await takeAnchor(store, room, anchor, writer);
  if (message) {
    const told = toldBy.length > 0 ? parseUserId(toldBy) : undefined;
    const said = readMemory(room, message, told);
    return said ? await takeMemory(history, store, { said, passOn }, false) : [];
  }
  const entry = readEntry(room, archived.entry);
  if (!entry) return [];
  const known = await history.at(room, entry.sequence);
  if (known?.type === entry.type) return [struck(known.order)];
  return await history.placed(entry);
}

/** Where an archived entry stands in its room; 0 where it does not say. */
export function sequenceOf({ message, entry }: ArchivedEntry): number {
  try {
    return message
      ? toSafeNumber(message.sequence)
      : Number(JSON.parse(textOf(entry)).sequence) || 0;
  } catch {
    return 0;
  }
}

/** The room of an archived entry; `undefined` where its identifiers are malformed. */
export function roomOf({ room, toldBy }: ArchivedEntry): RoomId | undefined {
  if (toldBy.length !== 0 && toldBy.length !== 16) return undefined;
  return room.length === 16 || room.length === 32 ? parseRoomId(room) : undefined;
}

function struck(key: string): StoreChange {
  return { table: "archive-queue", key, value: undefined };
}

const entryBytesMax = 64 * 1024;

/** An entry that is no message: who came and went, and what newcomers may have. */
function readEntry(room: RoomId, bytes: Uint8Array): HistoryEntry | undefined {
  if (bytes.length === 0 || bytes.length > entryBytesMax) return undefined;
  try {
    const json = JSON.parse(textOf(bytes));
    const sequence: unknown = json.sequence;
    if (!Number.isSafeInteger(sequence) || Number(sequence) < 1 || json.room !== room)
      return undefined;
    const base = { room, sequence: Number(sequence), by: parseUserId(String(json.by)) };
    if (json.type === "policy" && ["none", "since-join", "all"].includes(json.history))
      return { type: "policy", ...base, history: json.history } satisfies PolicyEntry;
    if (json.type !== "membership" || !Array.isArray(json.users)) return undefined;
    if (!["created", "added", "removed", "rejoined"].includes(json.change)) return undefined;
    const users = json.users.map((user: unknown) => parseUserId(String(user)));
    const those = (name: "devicesOf" | "disabled") =>
      Array.isArray(json[name])
        ? { [name]: json[name].map((user: unknown) => parseUserId(String(user))) }
        : {};
    const more = { ...those("devicesOf"), ...those("disabled") };
    const { change } = json;
    return { type: "membership", ...base, change, users, ...more } satisfies MembershipEntry;
  } catch {
    return undefined;
  }
}
