import type { Clock } from "@sotto/clock";
import { ErrorCode, encodeFrameHeader, FrameFlag, FrameType, SottoError } from "@sotto/protocol";
import type { Outbox } from "./outbox.ts";

export interface DownloadOptions {
  readonly stream: number;
  readonly outbox: Outbox;
  /** Bytes that the client allowed with its request. */
  readonly credit: number;
  readonly creditBytesMax: number;
  readonly frameBytesMax: number;
  readonly clock: Clock;
  /** A client that wants nothing more for this long has its download ended. */
  readonly creditWithinMs: number;
}

/**
 * Sealed bytes on their way to one client: in frames of up to `frameBytesMax`, as far as the
 * client's credit goes, one frame at a time in the outbox. Bodies are views of what the media
 * service sent; nothing is copied.
 */
export class Download {
  readonly #options: DownloadOptions;
  readonly #abort = new AbortController();
  #credit: number;
  #creditCame: (() => void) | undefined;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.#credit = Math.min(options.credit, options.creditBytesMax);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The client wants `bytes` more; beyond the bound it gets no more than the bound. */
  addCredit(bytes: number): void {
    this.#credit = Math.min(this.#credit + bytes, this.#options.creditBytesMax);
    this.#creditCame?.();
  }

  cancel(): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#options.outbox.dropMedia(this.#options.stream);
    this.#creditCame?.();
  }

  /**
   * Sends `length` bytes of `chunks`. Resolves with true when the last one is on the wire, with
   * false where the download was cancelled or the chunks ended early.
   */
  async send(chunks: AsyncIterable<Uint8Array>, length: number): Promise<boolean> {
    let left = length;
    if (left === 0) {
      await this.#sendFrame(new Uint8Array(), true);
      return !this.signal.aborted;
    }
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length && left > 0 && !this.signal.aborted; ) {
        if (this.#credit === 0) await this.#nextCredit();
        if (this.signal.aborted) return false;
        const { frameBytesMax } = this.#options;
        const bytes = Math.min(chunk.length - at, frameBytesMax, this.#credit, left);
        this.#credit -= bytes;
        left -= bytes;
        await this.#sendFrame(chunk.subarray(at, at + bytes), left === 0);
        at += bytes;
      }
      if (left === 0 || this.signal.aborted) break;
    }
    return left === 0 && !this.signal.aborted;
  }

  #nextCredit(): Promise<void> {
    const { clock, creditWithinMs } = this.#options;
    return new Promise((resolve, reject) => {
      const late = clock.after(creditWithinMs, () => {
        this.#creditCame = undefined;
        reject(new SottoError(ErrorCode.UNAVAILABLE, "the client took no bytes for too long"));
      });
      this.#creditCame = () => {
        late.cancel();
        this.#creditCame = undefined;
        resolve();
      };
    });
  }

  #sendFrame(body: Uint8Array, last: boolean): Promise<void> {
    const { stream, outbox } = this.#options;
    const flags = last ? FrameFlag.end : 0;
    const header = encodeFrameHeader(FrameType.media, stream, body.length, flags);
    return new Promise((taken) => outbox.pushMedia({ stream, header, body, taken }));
  }
}
