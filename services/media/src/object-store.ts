import { type BlobStore, BlobStoreError } from "@sotto/blobs";
import { type ObjectId, parseObjectId, type RoomId } from "@sotto/protocol";
import type { MediaLimits } from "./media-limits.ts";
import { keys, type ObjectRef, type Shelf } from "./object-keys.ts";
import { decodeRecord, encodeRecord, type ObjectRecord, pieceCountOf } from "./object-record.ts";
import { RecentMap } from "./recent-map.ts";

/**
 * Objects in a blob store. The store itself is the truth, for several replicas may share it; only
 * records are cached, which never change, and whether one still exists is asked of the store.
 * Errors are `BlobStoreError` and `RecordError`.
 */
export class ObjectStore {
  readonly #blobs: BlobStore;
  readonly #limits: MediaLimits;
  readonly #records: RecentMap<string, ObjectRecord>;

  constructor(blobs: BlobStore, limits: MediaLimits) {
    this.#blobs = blobs;
    this.#limits = limits;
    this.#records = new RecentMap(limits.recordsCachedMax);
  }

  /** The object's record, undefined where there is no such object. */
  async find(ref: ObjectRef): Promise<ObjectRecord | undefined> {
    const key = keys.record(ref);
    const cached = this.#records.get(key);
    if (!cached) return this.#read(ref);
    if (await this.#blobs.stat(key)) return cached;
    this.#records.delete(key);
    return undefined;
  }

  /** Stores the record; answers the one that stands, which may be another replica's. */
  async create(record: ObjectRecord): Promise<ObjectRecord> {
    const standing = await this.find(record);
    if (standing) return standing;
    try {
      await this.#blobs.put(keys.record(record), encodeRecord(record));
    } catch (error) {
      if (!(error instanceof BlobStoreError && error.code === "EXISTS")) throw error;
      return (await this.#read(record)) ?? record;
    }
    this.#records.set(keys.record(record), record);
    return record;
  }

  /** Pieces that are durable, counted from the first one on without a gap. */
  async piecesDurable(record: ObjectRecord): Promise<number> {
    if (await this.#blobs.stat(keys.complete(record))) {
      return pieceCountOf(record, this.#limits.pieceBytes);
    }
    const prefix = keys.pieces(record);
    const present = new Set<number>();
    for await (const { key } of this.#blobs.list(prefix))
      present.add(Number(key.slice(prefix.length)));
    let count = 0;
    while (present.has(count)) count++;
    return count;
  }

  /** Says that all pieces are there, so that nobody has to count them again. */
  markComplete(ref: ObjectRef): Promise<void> {
    return this.#blobs.put(keys.complete(ref), new Uint8Array());
  }

  putPiece(ref: ObjectRef, piece: number, data: Uint8Array): Promise<void> {
    return this.#blobs.put(keys.piece(ref, piece), data);
  }

  /** Bytes `start` to `end` (exclusive) of one piece. */
  readPiece(ref: ObjectRef, piece: number, start: number, end: number): AsyncIterable<Uint8Array> {
    return this.#blobs.read(keys.piece(ref, piece), { start, end });
  }

  /** Records of a room's shelf, in no order. */
  async records(room: RoomId, shelf: Shelf): Promise<ObjectRecord[]> {
    const records: ObjectRecord[] = [];
    for (const object of await this.#objectsUnder(keys.shelf(room, shelf))) {
      const ref = { room, object };
      const record = this.#records.get(keys.record(ref)) ?? (await this.#read(ref));
      if (record) records.push(record);
    }
    return records;
  }

  /** Ids of a room's objects that are known to be complete. */
  async completed(room: RoomId): Promise<ReadonlySet<ObjectId>> {
    return new Set(await this.#objectsUnder(keys.completeShelf(room)));
  }

  /**
   * Deletes the record first, so that the object is gone for everybody at once; what a crash leaves
   * of the rest, the next collection removes.
   */
  async delete(ref: ObjectRef): Promise<void> {
    this.#records.delete(keys.record(ref));
    await this.#blobs.delete(keys.record(ref));
    await this.deleteBytes(ref);
  }

  /** Deletes all of an object but its record. */
  async deleteBytes(ref: ObjectRef): Promise<void> {
    await this.#blobs.delete(keys.complete(ref));
    await this.#blobs.deleteAll(keys.idleAll(ref));
    await this.#blobs.deleteAll(keys.pieces(ref));
  }

  async #objectsUnder(prefix: string): Promise<ObjectId[]> {
    const objects: ObjectId[] = [];
    for await (const { key } of this.#blobs.list(prefix)) {
      objects.push(parseObjectId(key.slice(prefix.length)));
    }
    return objects;
  }

  async #read(ref: ObjectRef): Promise<ObjectRecord | undefined> {
    const key = keys.record(ref);
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of this.#blobs.read(key)) chunks.push(chunk);
    } catch (error) {
      if (error instanceof BlobStoreError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
    const record = decodeRecord(ref, Buffer.concat(chunks));
    this.#records.set(key, record);
    return record;
  }
}
