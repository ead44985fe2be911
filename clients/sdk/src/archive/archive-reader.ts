import { fromBinary } from "@bufbuild/protobuf";
import { type DeviceId, ErrorCode, limits, toHex } from "@sotto/protocol";
import {
  type ArchiveBatch,
  type ArchivedEntry,
  ArchivedHistorySchema,
} from "@sotto/protocol/devices";
import { sha256 } from "../bytes.ts";
import { serverError } from "../errors.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import { type ArchiveIdentity, revokedDevices } from "./archive-identity.ts";
import { openBatch } from "./archive-key.ts";
import { takeKeys } from "./archive-keys.ts";
import type { ArchivePage, ArchivePlace, ArchivePort } from "./archive-port.ts";
import { openArchiveRecord } from "./archive-record.ts";
import type { ArchiveState } from "./archive-state.ts";

export interface ArchiveReading {
  readonly identity: ArchiveIdentity;
  readonly state: ArchiveState;
  readonly port: ArchivePort;
  readonly store: ProfileStore;
  /** False in tests of attacks only: records of anybody count. */
  readonly checked: boolean;
  /** Batches are passed over. */
  readonly keysOnly: boolean;
  /** Asks for records of the directory that this device has not seen yet. */
  refreshDirectory(): Promise<void>;
  /** Takes what a batch of that device holds; durable when it resolved. The same again changes nothing. */
  take(entries: readonly ArchivedEntry[], writer: DeviceId): Promise<void>;
  /** The archive's log was replaced: what this device has must be offered again. */
  lost(): Promise<void>;
}

type Taken = "done" | "no-key";

/**
 * Reads the archive to its head, from where this device was. Keys come after the batches that a new device
 * needs them for: it looks for keys first, and reads all batches after that, in their order. Batches whose key
 * comes later still are read again once it is there.
 */
export async function readArchive(reading: ArchiveReading): Promise<void> {
  const { state, store } = reading;
  const keysBefore = keyCount(state);
  const first = state.known.place === undefined;
  await pages(reading, state.known.place, async (page) => {
    const changes: StoreChange[] = [];
    for (const { sequence, data } of page.entries)
      changes.push(...(await take(reading, sequence, data, first)));
    const last = await lastPlace(page);
    state.known.place = last ?? state.known.place ?? { incarnation: page.incarnation, sequence: 0 };
    await store.commit([...changes, state.stored()]);
  });
  const { unopened, unread, place } = state.known;
  const from = keyCount(state) === keysBefore ? unread : (unread ?? unopened);
  if (from !== undefined && place) {
    const { incarnation } = place;
    await readAgain(reading, { incarnation, sequence: from - 1 });
  }
}

/** Behind the last record of a page. */
async function lastPlace({ incarnation, entries }: ArchivePage): Promise<ArchivePlace | undefined> {
  const last = entries.at(-1);
  if (!last) return undefined;
  return { incarnation, sequence: last.sequence, sha256: toHex(await sha256(last.data)) };
}

function keyCount({ keys }: ArchiveState): number {
  return [...keys.values()].filter(({ key }) => key !== undefined).length;
}

/** Opens batches that stand before their keys. */
async function readAgain(reading: ArchiveReading, from: ArchivePlace): Promise<void> {
  const { state, store } = reading;
  let unopened: number | undefined;
  await pages(reading, from, async (page) => {
    for (const { sequence, data } of page.entries) {
      const record = await open(reading, sequence, data);
      if (record?.body.case !== "batch") continue;
      if ((await takeBatch(reading, record.body.value, record.device)) === "no-key")
        unopened ??= sequence;
    }
  });
  Object.assign(state.known, { unopened, unread: undefined });
  await store.commit([state.stored()]);
}

async function pages(
  reading: ArchiveReading,
  from: ArchivePlace | undefined,
  each: (page: ArchivePage) => Promise<void>,
): Promise<void> {
  for (let after = from; ; ) {
    let page: ArchivePage;
    try {
      page = await reading.port.read(after);
    } catch (error) {
      if (serverError(error)?.code !== ErrorCode.LOG_RESET || after === undefined) throw error;
      const revoked = revokedDevices(reading.identity).map(({ id }) => id);
      await reading.store.commit(reading.state.forget(revoked));
      await reading.lost();
      after = undefined;
      continue;
    }
    await each(page);
    const last = await lastPlace(page);
    if (last === undefined || last.sequence >= page.head) return;
    // A page that does not go on would be read for ever.
    if (last.sequence <= (after?.sequence ?? 0)) return;
    after = last;
  }
}

async function take(
  reading: ArchiveReading,
  sequence: number,
  data: Uint8Array,
  first: boolean,
): Promise<StoreChange[]> {
  const { identity, state } = reading;
  const record = await open(reading, sequence, data);
  if (record?.body.case === "keys")
    return await takeKeys(identity, state, sequence, record, record.body.value);
  if (reading.keysOnly || record?.body.case !== "batch") return [];
  if (first) state.known.unread ??= sequence;
  else if ((await takeBatch(reading, record.body.value, record.device)) === "no-key")
    state.known.unopened ??= sequence;
  return [];
}

async function open(reading: ArchiveReading, sequence: number, data: Uint8Array) {
  const { identity, state, checked } = reading;
  let record = await openArchiveRecord(identity, data, !checked);
  if (!record && checked) {
    // Perhaps a device that this one has not heard of yet.
    const { size } = identity.directory;
    await reading.refreshDirectory();
    if (identity.directory.size > size) record = await openArchiveRecord(identity, data);
  }
  if (!record || (checked && !state.counts(record.device, sequence))) return undefined;
  return record;
}

async function takeBatch(
  reading: ArchiveReading,
  batch: ArchiveBatch,
  writer: DeviceId,
): Promise<Taken> {
  const { identity, state } = reading;
  const key = state.keys.get(toHex(batch.keyId))?.key;
  if (!key) return "no-key";
  const plaintext = await openBatch(identity.user, key, batch);
  if (!plaintext || plaintext.length > limits.archiveRecordBytesMax) return "done";
  let entries: readonly ArchivedEntry[] = [];
  try {
    ({ entries } = fromBinary(ArchivedHistorySchema, plaintext));
  } catch {
    return "done";
  }
  await reading.take(entries, writer);
  return "done";
}
