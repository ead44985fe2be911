/**
 * The `BlobStore` port: bytes under a key that never change.
 *
 * Promise: once `put` resolved, the bytes survive `kill -9` and power loss; a reader never
 * sees half a blob; a key that holds bytes never holds others.
 */

/** Slash-separated segments of `[a-z0-9._-]+`, none of them `.` or `..`; at most 512 characters. */
export type BlobKey = string;

export class BlobStoreError extends Error {
  override readonly name = "BlobStoreError";
  /**
   * EXISTS: the key holds other bytes. NOT_FOUND, BAD_RANGE, BAD_KEY: as named.
   * FULL: no space, nothing was stored. UNAVAILABLE: whether it stands is unknown.
   */
  readonly code: "EXISTS" | "NOT_FOUND" | "BAD_RANGE" | "BAD_KEY" | "FULL" | "UNAVAILABLE";
  constructor(code: BlobStoreError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface BlobInfo {
  readonly key: BlobKey;
  readonly bytes: number;
}

export interface ByteRange {
  /** First byte, from 0. */
  readonly start: number;
  /** Byte after the last one; at most the blob's size. */
  readonly end: number;
}

export interface BlobStore extends AsyncDisposable {
  /** Stores all of `data`, or nothing. Putting equal bytes again is no error and stores nothing new. */
  put(key: BlobKey, data: Uint8Array): Promise<void>;
  /** The blob's bytes in order, in chunks of at most 1 MiB, reading ahead no further than one chunk. */
  read(key: BlobKey, range?: ByteRange): AsyncIterable<Uint8Array>;
  stat(key: BlobKey): Promise<BlobInfo | undefined>;
  /** Every key that begins with `prefix` (whole segments, ending in `/`), in no order. */
  list(prefix: BlobKey): AsyncIterable<BlobInfo>;
  /** Durable once resolved. Deleting what is not there is no error. */
  delete(key: BlobKey): Promise<void>;
  /** Deletes every key under `prefix`. Durable once resolved. */
  deleteAll(prefix: BlobKey): Promise<void>;
}
