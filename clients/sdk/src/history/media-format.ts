import { fromBinary } from "@bufbuild/protobuf";
import { type ObjectId, parseObjectId, parseRoomId } from "@sotto/protocol";
import { ArchivedEntrySchema } from "@sotto/protocol/devices";
import { textOf, utf8 } from "../bytes.ts";
import { announcementKey, deletionChanges, mediaChanges } from "../media/announcements.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { HistoryEntry } from "./history-entry.ts";
import { deletedKey, formerDeletedKey } from "./history-keys.ts";
import { readMemory } from "./take-memories.ts";

const pageEntries = 256;

/**
 * Keys what is known of media by object and room. Before format 3 it was by object alone, so that of several rooms
 * that announced one id the first to be read hid the others: those come back, as far as their messages were kept.
 * Every commit leaves a state from which it goes on when called again.
 */
export async function keyMediaByRoom(store: ProfileStore): Promise<void> {
  await moveAnnouncements(store);
  await readHistoryAgain(store);
}

async function moveAnnouncements(store: ProfileStore): Promise<void> {
  for (let after = ""; ; ) {
    const page = await store.scan("media", { after, limit: pageEntries });
    const changes: StoreChange[] = [];
    for (const { key, value } of page) {
      after = key;
      // Moved already, before a crash or just now.
      if (key.includes("/")) continue;
      const { room } = JSON.parse(textOf(value)) as { room: string };
      const moved = announcementKey(parseObjectId(key), parseRoomId(room));
      changes.push(
        { table: "media", key: moved, value },
        { table: "media", key, value: undefined },
      );
    }
    await store.commit(changes);
    if (page.length < pageEntries) return;
  }
}

async function readHistoryAgain(store: ProfileStore): Promise<void> {
  let changes: StoreChange[] = [];
  let objects = new Set<ObjectId>();
  const settle = async () => {
    await store.commit(changes);
    changes = [];
    objects = new Set();
  };
  for (let after = ""; ; ) {
    const page = await store.scan("history", { after, limit: pageEntries });
    for (const { key, value } of page) {
      after = key;
      const entry = JSON.parse(textOf(value)) as HistoryEntry;
      if (entry.type !== "media" && entry.type !== "media-deleted") continue;
      // What follows of the same object must see what stands.
      if (objects.has(entry.object)) await settle();
      objects.add(entry.object);
      changes.push(...(await changesOf(store, key, entry)));
    }
    await settle();
    if (page.length < pageEntries) return;
  }
}

type ObjectEntry = Extract<HistoryEntry, { readonly object: ObjectId }>;

async function changesOf(
  store: ProfileStore,
  order: string,
  entry: ObjectEntry,
): Promise<StoreChange[]> {
  if (entry.type === "media-deleted") {
    const { object, room, sender } = entry;
    const key = deletedKey(object, room, sender);
    const isHidden = entry.toldBy && (await store.get("history-index", key));
    const index: StoreChange[] = isHidden
      ? []
      : [{ table: "history-index", key, value: utf8(order) }];
    const former = formerDeletedKey(object);
    index.push({ table: "history-index", key: former, value: undefined });
    return [...index, ...(await deletionChanges(store, object, entry))];
  }
  const kept = await store.get("remembered", order);
  const { message } = kept ? fromBinary(ArchivedEntrySchema, kept) : {};
  const said = message && readMemory(entry.room, message, entry.toldBy);
  return said ? await mediaChanges(store, said) : [];
}
