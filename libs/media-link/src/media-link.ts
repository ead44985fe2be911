/**
 * The `MediaLink` port: ordered bytes between an edge and a media service, with backpressure.
 * Bulk bytes go here, because a broker on their path costs four to five times the CPU.
 */

/** Lower-case hex. */
type Hex = string;

export interface OpenRequest {
  readonly room: Hex;
  readonly object: Hex;
  /** First byte of the sealed object, from 0. */
  readonly offset: number;
  /** Bytes wanted; fewer come where the object ends. */
  readonly length: number;
}

export interface PutPieceRequest {
  readonly room: Hex;
  readonly object: Hex;
  /** Piece number, from 0. Pieces are accepted strictly in order. */
  readonly piece: number;
  readonly data: Uint8Array;
}

export class MediaLinkError extends Error {
  override readonly name = "MediaLinkError";
  /**
   * OUT_OF_ORDER carries no piece: `get_object` tells the next one. INCOMPLETE: the bytes belong to
   * the object but have not come yet; those before them were delivered.
   */
  readonly code:
    | "NOT_FOUND"
    | "BAD_RANGE"
    | "INCOMPLETE"
    | "OUT_OF_ORDER"
    | "CONFLICT"
    | "TOO_LARGE"
    | "FULL"
    | "BUSY"
    | "UNAVAILABLE";
  constructor(code: MediaLinkError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What the media service does with a link's calls. Errors are `MediaLinkError`. */
export interface MediaHandler {
  /** Bytes in order, chunks of 64 KiB to 1 MiB. Ends early where `signal` aborts. */
  open(request: OpenRequest, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Resolves when the piece is durable, with the number of durable pieces. */
  putPiece(request: PutPieceRequest): Promise<{ piecesDurable: number }>;
}

/** The edge's side. */
export interface MediaLink extends AsyncDisposable {
  /**
   * The sender reads ahead at most 1 MiB beyond what the consumer took. Leaving the
   * iteration, or aborting, frees the sender's resources at once.
   */
  open(request: OpenRequest, signal: AbortSignal): AsyncIterable<Uint8Array>;
  putPiece(request: PutPieceRequest, signal: AbortSignal): Promise<{ piecesDurable: number }>;
}

/** The media service's side. Disposing it ends open streams with `UNAVAILABLE`. */
export interface MediaLinkServer extends AsyncDisposable {}
