import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  fromHex,
  type ObjectId,
  parseObjectId,
  parseRoomId,
  parseUserId,
  type RoomId,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { type MediaManifest, MediaManifestSchema } from "@sotto/protocol/content";
import { textOf, utf8 } from "../bytes.ts";
import type { HistoryEntry } from "../history/history-entry.ts";
import { deletedKey, deletedPrefix } from "../history/history-keys.ts";
import type { SaidMessage } from "../history/said-message.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";

/** Who said something of an object, where, and whether it is only told. */
interface Source {
  readonly room: RoomId;
  readonly sequence: number;
  readonly sender: UserId;
  readonly toldBy?: UserId;
}

/** An object as a room announced it, and as the store keeps it for that room. */
export interface Announcement extends Source {
  readonly object: ObjectId;
  /** The sender's clock, ms. */
  readonly at: number;
  readonly manifest: MediaManifest;
}

/** What the keys of an object's announcements begin with, of all rooms. */
export function announcementsOf(object: ObjectId): string {
  return `${object}/`;
}

/** Key of an object's announcement in a room: the same id in another room is another object. */
export function announcementKey(object: ObjectId, room: RoomId): string {
  return `${announcementsOf(object)}${room}`;
}

/** An announcement as it is stored. */
export function parseAnnouncement(key: string, value: Uint8Array): Announcement {
  const [object = "", room = ""] = key.split("/");
  const { sequence, sender, at, manifest, toldBy } = JSON.parse(textOf(value));
  return {
    object: parseObjectId(object),
    room: parseRoomId(room),
    sequence,
    sender: parseUserId(String(sender)),
    at,
    manifest: fromBinary(MediaManifestSchema, fromHex(manifest)),
    ...(toldBy ? { toldBy: parseUserId(String(toldBy)) } : {}),
  };
}

/**
 * Changes that make a message's object one that can be opened in its room, or not any more. Of several who announce
 * one id in a room, the first in the room's order stands; only its sender says it anew or deletes it.
 */
export async function mediaChanges(store: ProfileStore, said: SaidMessage): Promise<StoreChange[]> {
  const { room, sequence, sender, content, toldBy } = said;
  const { body } = content;
  if (body.case !== "media" && body.case !== "mediaDeleted") return [];
  const object = parseObjectId(body.value.object);
  if (body.case === "mediaDeleted") return await deletionChanges(store, object, said);
  const key = announcementKey(object, room);
  const stored = await store.get("media", key);
  if (stored && !takesPlaceOf(said, parseAnnouncement(key, stored))) return [];
  if (await isDeleted(store, object, said)) return [];
  const kept = {
    sequence,
    sender,
    at: Number(content.atMs),
    manifest: toHex(toBinary(MediaManifestSchema, body.value)),
    ...(toldBy ? { toldBy } : {}),
  };
  return [{ table: "media", key, value: utf8(JSON.stringify(kept)) }];
}

/** Changes by which a deletion ends what its sender announced. */
export async function deletionChanges(
  store: ProfileStore,
  object: ObjectId,
  deletion: Source,
): Promise<StoreChange[]> {
  const key = announcementKey(object, deletion.room);
  const stored = await store.get("media", key);
  const ends = stored && isDeletionOf(deletion, parseAnnouncement(key, stored));
  return ends ? [{ table: "media", key, value: undefined }] : [];
}

/** True where a change decides what a following message of the same object does: that one must see it stored. */
export function isOfObject({ table, key }: StoreChange): boolean {
  return table === "media" || (table === "history-index" && key.startsWith(deletedPrefix));
}

/** What is only told takes no place. */
function takesPlaceOf(said: Source, standing: Source): boolean {
  if (said.toldBy) return false;
  if (said.sender !== standing.sender) return said.sequence < standing.sequence;
  return said.sequence > standing.sequence || standing.toldBy !== undefined;
}

async function isDeleted(
  store: ProfileStore,
  object: ObjectId,
  announced: Source,
): Promise<boolean> {
  const key = deletedKey(object, announced.room, announced.sender);
  const order = await store.get("history-index", key);
  const stored = order && (await store.get("history", textOf(order)));
  if (!stored) return false;
  const entry = JSON.parse(textOf(stored)) as HistoryEntry;
  return entry.type === "media-deleted" && isDeletionOf(entry, announced);
}

/** A deletion is its announcer's own, in the same room; what is only told undoes nothing that was heard. */
function isDeletionOf(deletion: Source, announced: Source): boolean {
  const { room, sequence, sender } = announced;
  const isTold = deletion.toldBy !== undefined && announced.toldBy === undefined;
  const isTheirs = deletion.room === room && deletion.sender === sender;
  return isTheirs && deletion.sequence > sequence && !isTold;
}
