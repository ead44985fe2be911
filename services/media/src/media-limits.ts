import { limits } from "@sotto/protocol";

/** Sizes, times and bounds of the media service. */
export interface MediaLimits {
  /** Every piece but an object's last one has exactly this size. */
  readonly pieceBytes: number;
  readonly objectBytesMax: number;
  /** Bytes that a stream hands over at a time. */
  readonly chunkBytes: number;
  /** Streams open at once; more answer BUSY. */
  readonly streamsMax: number;
  /** Pieces being stored or waiting for that, over all objects; more answer BUSY. */
  readonly piecesInFlightMax: number;
  /** The same for one object. */
  readonly piecesInFlightPerObjectMax: number;
  /** Objects whose durable pieces are remembered between two uploads of pieces. */
  readonly uploadsCachedMax: number;
  /** Object records kept in memory. */
  readonly recordsCachedMax: number;
  /** An upload's object is looked for anew after this time: another replica may have deleted it. */
  readonly recheckMs: number;
  /** Objects in one page of a listing. */
  readonly pageObjectsMax: number;
  /** An upload that got no piece for this long is collected. */
  readonly abandonedAfterMs: number;
  /** Between two collections. */
  readonly collectPeriodMs: number;
  /** Objects seen in one collection; the rest waits for the next. */
  readonly collectObjectsMax: number;
}

export const mediaLimits: MediaLimits = {
  pieceBytes: limits.pieceBytes,
  objectBytesMax: limits.objectBytesMax,
  chunkBytes: 256 * 1024,
  streamsMax: 256,
  piecesInFlightMax: 64,
  piecesInFlightPerObjectMax: 8,
  uploadsCachedMax: 1024,
  recordsCachedMax: 50_000,
  recheckMs: 5000,
  pageObjectsMax: 200,
  abandonedAfterMs: 24 * 60 * 60 * 1000,
  collectPeriodMs: 60 * 60 * 1000,
  collectObjectsMax: 1_000_000,
};
