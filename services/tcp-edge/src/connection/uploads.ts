import type { Clock, Timer } from "@sotto/clock";
import type { MediaLink } from "@sotto/media-link";
import { ErrorCode, type ObjectId, type RoomId, SottoError, type UserId } from "@sotto/protocol";
import type { ByteBudget } from "../byte-budget.ts";

export interface UploadsOptions {
  readonly link: MediaLink;
  readonly clock: Clock;
  readonly budget: ByteBudget<UserId>;
  readonly user: () => UserId;
  /** An upload that gets no byte for so long is dropped. */
  readonly bytesWithinMs: number;
  /** It was dropped for that. */
  readonly stalled: (stream: number) => void;
}

export interface UploadRequest {
  readonly room: RoomId;
  readonly object: ObjectId;
  readonly piece: number;
  readonly bytes: number;
  /** Rejects where the device may not write to the object. */
  readonly allowed: Promise<unknown>;
}

interface PieceUpload extends UploadRequest {
  readonly buffer: Buffer;
  readonly abort: AbortController;
  filled: number;
  /** Fires when no byte came for too long. */
  late: Timer;
  filledMs: number;
}

/**
 * The pieces that one connection is uploading: each is gathered whole, then handed to the media
 * service. The memory of all connections' pieces comes from one budget, of which a user has a share.
 */
export class Uploads {
  readonly #options: UploadsOptions;
  readonly #uploads = new Map<number, PieceUpload>();
  /** The end of what is under way for each object. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** Makes room for a piece. Throws BUSY where this edge holds too many already, or the user does. */
  begin(stream: number, request: UploadRequest): void {
    request.allowed.catch(() => undefined);
    const { budget, user, clock } = this.#options;
    if (!budget.take(user(), request.bytes)) {
      throw new SottoError(ErrorCode.BUSY, "too many pieces are being uploaded");
    }
    const buffer = Buffer.allocUnsafeSlow(request.bytes);
    const abort = new AbortController();
    const late = this.#watch(stream);
    const filledMs = clock.monotonic();
    this.#uploads.set(stream, { ...request, buffer, abort, filled: 0, filledMs, late });
  }

  /** Copies bytes into the piece; the session made sure that they fit. */
  fill(stream: number, bytes: Uint8Array): void {
    const upload = this.#uploads.get(stream);
    if (!upload) return;
    upload.buffer.set(bytes, upload.filled);
    upload.filled += bytes.length;
    upload.filledMs = this.#options.clock.monotonic();
  }

  /** Hands the piece on. Resolves when it is durable, with the number of durable pieces. */
  async finish(stream: number): Promise<number> {
    const upload = this.#uploads.get(stream);
    if (!upload) throw new SottoError(ErrorCode.BAD_REQUEST, "there is no such upload");
    upload.late.cancel();
    const { room, object, piece, buffer: data, abort } = upload;
    try {
      return await this.#inTurn(`${room}/${object}`, async () => {
        await upload.allowed;
        const stored = await this.#options.link.putPiece(
          { room, object, piece, data },
          abort.signal,
        );
        return stored.piecesDurable;
      });
    } finally {
      if (this.#uploads.get(stream) === upload) this.drop(stream);
    }
  }

  /** Pieces of one object leave one after the other: on several connections a short one would overtake. */
  async #inTurn<Result>(key: string, task: () => Promise<Result>): Promise<Result> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(task);
    const ended = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(key, ended);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(key) === ended) this.#turns.delete(key);
    }
  }

  /** Forgets an upload; what the media service is doing with it is called off. */
  drop(stream: number): void {
    const upload = this.#uploads.get(stream);
    if (!upload) return;
    this.#uploads.delete(stream);
    upload.late.cancel();
    upload.abort.abort();
    this.#options.budget.give(this.#options.user(), upload.bytes);
  }

  #watch(stream: number, delayMs = this.#options.bytesWithinMs): Timer {
    const { clock, bytesWithinMs, stalled } = this.#options;
    return clock.after(delayMs, () => {
      const upload = this.#uploads.get(stream);
      if (!upload) return;
      const leftMs = upload.filledMs + bytesWithinMs - clock.monotonic();
      if (leftMs > 0) upload.late = this.#watch(stream, leftMs);
      else {
        this.drop(stream);
        stalled(stream);
      }
    });
  }

  dropAll(): void {
    for (const stream of [...this.#uploads.keys()]) this.drop(stream);
  }
}
