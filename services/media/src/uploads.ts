import { BlobStoreError } from "@sotto/blobs";
import type { Clock } from "@sotto/clock";
import { MediaLinkError, type PutPieceRequest } from "@sotto/media-link";
import type { MediaEvents } from "./events.ts";
import { Lanes } from "./lanes.ts";
import { mediaLinkErrorOf } from "./media-errors.ts";
import type { MediaLimits } from "./media-limits.ts";
import { keys, type ObjectRef } from "./object-keys.ts";
import { type ObjectRecord, pieceCountOf, pieceSizeOf } from "./object-record.ts";
import type { ObjectStore } from "./object-store.ts";
import { RecentMap } from "./recent-map.ts";

interface Upload {
  readonly record: ObjectRecord;
  piecesDurable: number;
  /** Monotonic time when the object was last known to exist. */
  checkedAtMs: number;
}

/**
 * Takes the pieces of objects: strictly in order, one at a time for each object, each durable
 * before it is acknowledged. What this replica remembers may be behind another's; before it
 * refuses a piece as out of order it counts again.
 */
export class Uploads {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #limits: MediaLimits;
  readonly #events: MediaEvents;
  readonly #lanes: Lanes;
  readonly #uploads: RecentMap<string, Upload>;

  constructor(store: ObjectStore, clock: Clock, limits: MediaLimits, events: MediaEvents) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#events = events;
    this.#lanes = new Lanes(limits.piecesInFlightPerObjectMax, limits.piecesInFlightMax);
    this.#uploads = new RecentMap(limits.uploadsCachedMax);
  }

  get piecesInFlight(): number {
    return this.#lanes.tasks;
  }

  /** Rejects with `MediaLinkError`. */
  async put(ref: ObjectRef, { piece, data }: PutPieceRequest): Promise<{ piecesDurable: number }> {
    return this.alone(ref, async () => {
      const upload = await this.#find(ref);
      const wanted = pieceSizeOf(upload.record, piece, this.#limits.pieceBytes);
      if (wanted === 0 || data.length < wanted) {
        throw new MediaLinkError("BAD_RANGE", "the piece does not fit the object's size");
      }
      if (data.length > wanted) throw new MediaLinkError("TOO_LARGE", "the piece is too large");
      if (piece > upload.piecesDurable) {
        upload.piecesDurable = await this.#store.piecesDurable(upload.record);
      }
      if (piece > upload.piecesDurable) {
        throw new MediaLinkError("OUT_OF_ORDER", `piece ${upload.piecesDurable} is next`);
      }
      await this.#store.putPiece(ref, piece, data);
      if (piece === upload.piecesDurable) await this.#advance(upload);
      return { piecesDurable: upload.piecesDurable };
    }).catch((error: unknown) => {
      this.#uploads.delete(keys.record(ref));
      if (error instanceof BlobStoreError && error.code === "FULL") this.#events.storageFull();
      throw mediaLinkErrorOf(error);
    });
  }

  /** Runs `task` while no piece of the object is being stored. */
  alone<Result>(ref: ObjectRef, task: () => Promise<Result>): Promise<Result> {
    return this.#lanes.run(keys.record(ref), task);
  }

  /** Forgets what is remembered of an object. */
  forget(ref: ObjectRef): void {
    this.#uploads.delete(keys.record(ref));
  }

  /** Resolves when every piece that was taken is answered. */
  idle(): Promise<void> {
    return this.#lanes.idle();
  }

  async #advance(upload: Upload): Promise<void> {
    upload.piecesDurable++;
    const { record } = upload;
    const complete = upload.piecesDurable === pieceCountOf(record, this.#limits.pieceBytes);
    this.#events.pieceStored(
      pieceSizeOf(record, upload.piecesDurable - 1, this.#limits.pieceBytes),
    );
    if (!complete) return;
    this.#events.objectCompleted();
    // Without the mark the pieces are counted again: slower, not wrong.
    await this.#store.markComplete(record).catch((error: unknown) => this.#events.failed(error));
  }

  async #find(ref: ObjectRef): Promise<Upload> {
    const key = keys.record(ref);
    const now = this.#clock.monotonic();
    const known = this.#uploads.get(key);
    if (known && now - known.checkedAtMs < this.#limits.recheckMs) return known;
    const record = await this.#store.find(ref);
    if (!record) throw new MediaLinkError("NOT_FOUND", "no such object");
    const piecesDurable = known?.piecesDurable ?? (await this.#store.piecesDurable(record));
    const upload = { record, piecesDurable, checkedAtMs: now };
    this.#uploads.set(key, upload);
    return upload;
  }
}
