import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { fromHex, limits } from "@sotto/protocol";
import {
  type ArchivedEntry,
  ArchivedEntrySchema,
  ArchivedHistorySchema,
} from "@sotto/protocol/devices";
import { randomBytes, utf8 } from "../bytes.ts";
import type { History } from "../history/history.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import { type ArchiveIdentity, goodDevices } from "./archive-identity.ts";
import { batchOverheadBytes, sealBatch } from "./archive-key.ts";
import { changeKey, grantKeys, needsNewKey } from "./archive-keys.ts";
import type { ArchivePort } from "./archive-port.ts";
import { readQueue, struckFromQueue } from "./archive-queue.ts";
import { signArchiveRecord } from "./archive-record.ts";
import type { ArchiveState } from "./archive-state.ts";
import { archivedAnchor, queuedAnchor } from "./room-anchors.ts";

/** Entries looked at for one batch. */
const batchEntriesMax = 256;
/** A field's tag and length around each entry. */
const framingBytes = 8;

export interface ArchiveWriting {
  readonly identity: ArchiveIdentity;
  readonly state: ArchiveState;
  readonly port: ArchivePort;
  readonly store: ProfileStore;
  readonly history: History;
  /** Why nothing may be sealed now. */
  refusal(): Error | undefined;
}

/** Puts the keys in order: a new one where the present one is not good, and all of them for all who may have them. */
export async function keepKeys(writing: ArchiveWriting, making: boolean): Promise<void> {
  const { identity, state, port, store } = writing;
  if (making && needsNewKey(identity, state))
    await store.commit(await changeKey(identity, state, port));
  if (writing.refusal()) return;
  await store.commit(await grantKeys(identity, state, port, goodDevices(identity)));
}

/**
 * Writes the oldest entries of the queue as one batch. False where the queue is empty, or nothing may be sealed; true
 * also where a new key became due meanwhile, and nothing was written. An entry leaves the queue when its batch is
 * durable: a crash in between offers it again, and readers take it once.
 */
export async function writeBatch(writing: ArchiveWriting): Promise<boolean> {
  const { identity, state, port, store } = writing;
  const queued = await readQueue(store, batchEntriesMax);
  if (queued.length === 0) return false;
  if (needsNewKey(identity, state)) await store.commit(await changeKey(identity, state, port));
  const { current } = state;
  if (!current?.key) return false;
  const entries: ArchivedEntry[] = [];
  const done: string[] = [];
  let bytes = batchOverheadBytes;
  for (const order of queued) {
    const archived = await archivedAt(writing, order);
    const more = archived ? toBinary(ArchivedEntrySchema, archived).length + framingBytes : 0;
    if (entries.length > 0 && bytes + more > limits.archiveRecordBytesMax) break;
    bytes += more;
    if (archived) entries.push(archived);
    done.push(order);
  }
  // The directory may have been found out, or have grown by a revocation, meanwhile.
  if (writing.refusal()) return false;
  if (needsNewKey(identity, state)) return true;
  if (entries.length > 0) {
    const history = create(ArchivedHistorySchema, { entries });
    const plaintext = toBinary(ArchivedHistorySchema, history);
    const batch = await sealBatch(identity.user, current.id, current.key, plaintext);
    const record = await signArchiveRecord(identity, { case: "batch", value: batch });
    await port.append(randomBytes(16), record);
  }
  await store.commit(await struckFromQueue(store, done));
  return true;
}

/** What the archive shall hold of the entry at a place; `undefined` where it is there no more. */
async function archivedAt(
  { store, history }: ArchiveWriting,
  order: string,
): Promise<ArchivedEntry | undefined> {
  const anchor = queuedAnchor(order);
  if (anchor) return await archivedAnchor(store, anchor);
  const kept = await store.get("remembered", order);
  if (kept) return fromBinary(ArchivedEntrySchema, kept);
  const entry = await history.entry(order);
  if (entry?.type !== "membership" && entry?.type !== "policy") return undefined;
  const { order: _, ...rest } = entry;
  const init = { room: fromHex(entry.room), entry: utf8(JSON.stringify(rest)) };
  return create(ArchivedEntrySchema, init);
}
