import {
  type MediaHandler,
  MediaLinkError,
  type OpenRequest,
  type PutPieceRequest,
} from "@sotto/media-link";
import { IdError, parseObjectId, parseRoomId } from "@sotto/protocol";
import type { MediaEvents } from "./events.ts";
import { mediaLinkErrorOf } from "./media-errors.ts";
import type { MediaLimits } from "./media-limits.ts";
import type { ObjectRef } from "./object-keys.ts";
import type { ObjectStore } from "./object-store.ts";
import { spanOf, streamObject } from "./object-stream.ts";
import type { Uploads } from "./uploads.ts";

/** What the media link asks of this service: bytes out and bytes in. */
export class MediaPieces implements MediaHandler {
  readonly #store: ObjectStore;
  readonly #uploads: Uploads;
  readonly #limits: MediaLimits;
  readonly #events: MediaEvents;
  readonly #closing = new AbortController();
  #streams = 0;

  constructor(store: ObjectStore, uploads: Uploads, limits: MediaLimits, events: MediaEvents) {
    this.#store = store;
    this.#uploads = uploads;
    this.#limits = limits;
    this.#events = events;
  }

  get streams(): number {
    return this.#streams;
  }

  async *open(
    request: OpenRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    this.#refuseWhenClosing();
    if (this.#streams >= this.#limits.streamsMax) {
      throw new MediaLinkError("BUSY", "too many streams are open");
    }
    this.#streams++;
    try {
      yield* this.#bytes(request, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw this.#told(error);
    } finally {
      this.#streams--;
    }
  }

  async putPiece(request: PutPieceRequest): Promise<{ piecesDurable: number }> {
    this.#refuseWhenClosing();
    try {
      return await this.#uploads.put(refOf(request), request);
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** Ends open streams with UNAVAILABLE, takes no more, and waits for the pieces under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#uploads.idle();
  }

  async *#bytes(
    request: OpenRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const record = await this.#store.find(refOf(request));
    if (!record) throw new MediaLinkError("NOT_FOUND", "no such object");
    const span = spanOf(record, request.offset, request.length);
    this.#events.streamOpened();
    for await (const bytes of streamObject(this.#store, record, span, this.#limits, signal)) {
      this.#refuseWhenClosing();
      this.#events.bytesRead(bytes.length);
      yield bytes;
    }
  }

  #refuseWhenClosing(): void {
    if (this.#closing.signal.aborted) {
      throw new MediaLinkError("UNAVAILABLE", "the media service is closing");
    }
  }

  #told(error: unknown): MediaLinkError {
    const told = mediaLinkErrorOf(error);
    this.#events.linkRefused(told.code);
    if (told.code === "UNAVAILABLE" && told.cause !== undefined) this.#events.failed(told.cause);
    return told;
  }
}

function refOf(request: { room: string; object: string }): ObjectRef {
  try {
    return { room: parseRoomId(request.room), object: parseObjectId(request.object) };
  } catch (error) {
    if (!(error instanceof IdError)) throw error;
    throw new MediaLinkError("NOT_FOUND", "no such object", { cause: error });
  }
}
