import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { fromHex } from "@sotto/protocol";
import { ContentSchema, MediaManifestSchema } from "@sotto/protocol/content";
import { ArchivedEntrySchema } from "@sotto/protocol/devices";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import { loadProfile, newerProfile, profileChanges } from "../profile.ts";
import type { HistoryEntry } from "./history-entry.ts";
import { sequenceKey } from "./history-keys.ts";
import { keyMediaByRoom } from "./media-format.ts";

const formatKey = "history-format";
const format = 3;
const pageEntries = 256;

/**
 * Brings what a store remembers up to the format of now. Every step may be begun again after a crash; the last
 * commit raises the profile's version too, so that an older client does not write as it used to. Rejects with
 * PROFILE_BROKEN where a newer client wrote the store.
 */
export async function bringHistoryUp(store: ProfileStore): Promise<void> {
  const stored = await store.get("meta", formatKey);
  const before = stored ? Number(textOf(stored)) : 1;
  if (before === format) return;
  if (before > format) throw newerProfile();
  if (before < 2) await indexEntries(store);
  if (before < 3) await keyMediaByRoom(store);
  const profile = await loadProfile(store);
  const raised: StoreChange = { table: "meta", key: formatKey, value: utf8(String(format)) };
  await store.commit([raised, ...(profile ? profileChanges(profile) : [])]);
}

/**
 * Format 1 had no index by sequence and kept no contents: they are made from the entries, as far as those tell.
 * Every room then passed on all, and direct conversations nothing.
 */
async function indexEntries(store: ProfileStore): Promise<void> {
  for (let after = ""; ; ) {
    const page = await store.scan("history", { after, limit: pageEntries });
    const changes: StoreChange[] = [];
    for (const { key, value } of page) {
      after = key;
      const entry = JSON.parse(textOf(value)) as HistoryEntry;
      const index = sequenceKey(entry.room, entry.sequence);
      changes.push({ table: "history-index", key: index, value: utf8(key) });
      const remembered = await remake(store, entry);
      if (remembered) changes.push({ table: "remembered", key, value: remembered });
      if (remembered || entry.type === "membership")
        changes.push({ table: "archive-queue", key, value: new Uint8Array() });
    }
    await store.commit(changes);
    if (page.length < pageEntries) return;
  }
}

/** The message that an entry came from: what is not in the entry is not in it either. */
async function remake(store: ProfileStore, entry: HistoryEntry): Promise<Uint8Array | undefined> {
  if (entry.type !== "message" && entry.type !== "media") return undefined;
  const base = { version: 1, id: fromHex(entry.id), room: fromHex(entry.room) };
  const said = { ...base, atMs: BigInt(entry.at) };
  let content = create(ContentSchema, said);
  if (entry.type === "message") {
    content = create(ContentSchema, {
      ...said,
      body: { case: "text", value: { text: entry.text } },
    });
  } else {
    const kept = await store.get("media", entry.object);
    if (!kept) return undefined;
    const { manifest } = JSON.parse(textOf(kept)) as { manifest: string };
    const value = fromBinary(MediaManifestSchema, fromHex(manifest));
    content = create(ContentSchema, { ...said, body: { case: "media", value } });
  }
  return toBinary(
    ArchivedEntrySchema,
    create(ArchivedEntrySchema, {
      room: fromHex(entry.room),
      message: {
        sequence: BigInt(entry.sequence),
        sender: fromHex(entry.sender),
        device: fromHex(entry.device),
        content: toBinary(ContentSchema, content),
      },
      passOn: entry.room.length === 32,
    }),
  );
}
