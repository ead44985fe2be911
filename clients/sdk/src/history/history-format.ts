import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { fromHex } from "@sotto/protocol";
import { ContentSchema, MediaManifestSchema } from "@sotto/protocol/content";
import { ArchivedEntrySchema } from "@sotto/protocol/devices";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { HistoryEntry } from "./history-entry.ts";
import { sequenceKey } from "./history-keys.ts";

const formatKey = "history-format";
const format = 2;
const pageEntries = 256;

/**
 * Brings a history of an older format up to this one. Format 1 had no index by sequence and kept no
 * contents: they are made from the entries, as far as those tell. Every room then passed on all, and direct
 * conversations nothing.
 */
export async function bringHistoryUp(store: ProfileStore): Promise<void> {
  const stored = await store.get("meta", formatKey);
  if (stored && Number(textOf(stored)) >= format) return;
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
    if (page.length < pageEntries) break;
  }
  await store.commit([{ table: "meta", key: formatKey, value: utf8(String(format)) }]);
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
