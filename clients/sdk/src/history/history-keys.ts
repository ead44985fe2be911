import type { DeviceId, MessageId, ObjectId, RoomId, UserId } from "@sotto/protocol";
import type { HistoryEntry } from "./history-entry.ts";

const digits = 16;

function padded(number: number): string {
  return String(number).padStart(digits, "0");
}

/** Key of the entry with that number: orders compare by their characters. */
export function orderOf(number: number): string {
  return padded(number);
}

/** Key of an entry that comes after one of its room, and before whatever follows that one. */
export function orderAfter(order: string, entry: HistoryEntry): string {
  return between(order.slice(0, digits), entry);
}

/** Key of an entry that comes just before the room's first one. */
export function orderBehind(order: string, entry: HistoryEntry): string {
  const whole = order.slice(0, digits);
  return between(order.length > digits ? whole : padded(Number(whole) - 1), entry);
}

/** Entries that share a place are in the order of their room. */
function between(whole: string, { sequence, room, type }: HistoryEntry): string {
  return `${whole}.${padded(sequence)}.${room}.${type}`;
}

/** Index key of a message by its device and id. */
export function idKey(room: RoomId, device: DeviceId, id: MessageId): string {
  return `${room}/${device}/${id}`;
}

/** Index key of a room's entry by sequence; without one, what all of the room begin with. */
export function sequenceKey(room: RoomId, sequence?: number): string {
  return `${room}#${sequence === undefined ? "" : padded(sequence)}`;
}

/** The sequence in an index key by sequence. */
export function sequenceOfKey(key: string): number {
  return Number(key.slice(key.indexOf("#") + 1));
}

/** Index key of a room's newest title. */
export function titleKey(room: RoomId): string {
  return `title/${room}`;
}

/** What index keys of deletions begin with. */
export const deletedPrefix = "deleted/";

/** Index key that says that somebody deleted an object of a room. */
export function deletedKey(object: ObjectId, room: RoomId, sender: UserId): string {
  return `${deletedPrefix}${object}/${room}/${sender}`;
}

/** Index key by which formats before 3 said that an object was deleted, by whomever. */
export function formerDeletedKey(object: ObjectId): string {
  return `${deletedPrefix}${object}`;
}
