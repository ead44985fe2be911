import { MediaLinkError } from "@sotto/media-link";
import type { MediaLimits } from "./media-limits.ts";
import type { ObjectRecord } from "./object-record.ts";
import type { ObjectStore } from "./object-store.ts";

/** Part of an object, in bytes from its beginning. */
export interface Span {
  readonly start: number;
  /** Byte after the last one. */
  readonly end: number;
}

/** What of a requested span exists. Throws BAD_RANGE where nothing of it belongs to the object. */
export function spanOf(record: ObjectRecord, offset: number, length: number): Span {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!whole || offset < 0 || length < 1 || offset >= record.sealedBytes) {
    throw new MediaLinkError("BAD_RANGE", "the range is not within the object");
  }
  return { start: offset, end: offset + Math.min(length, record.sealedBytes - offset) };
}

/**
 * The span's bytes in order, in chunks of at most `chunkBytes`, over the borders of pieces. Reads
 * only when the consumer asks, and no further ahead than one chunk of the blob store. Ends early
 * where the signal aborts; throws INCOMPLETE after the last durable byte of an object that is
 * still being uploaded.
 */
export async function* streamObject(
  store: ObjectStore,
  record: ObjectRecord,
  span: Span,
  limits: MediaLimits,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { pieceBytes, chunkBytes } = limits;
  const durableBytes = (await store.piecesDurable(record)) * pieceBytes;
  const end = Math.min(span.end, durableBytes);
  for (let position = span.start; position < end; ) {
    const piece = Math.floor(position / pieceBytes);
    const first = piece * pieceBytes;
    const stop = Math.min(end, first + pieceBytes);
    for await (const bytes of store.readPiece(record, piece, position - first, stop - first)) {
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        if (signal.aborted) return;
        yield bytes.subarray(at, at + chunkBytes);
      }
    }
    if (signal.aborted) return;
    position = stop;
  }
  if (end < span.end) {
    throw new MediaLinkError("INCOMPLETE", "the rest has not been uploaded yet");
  }
}
