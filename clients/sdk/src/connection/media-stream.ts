/**
 * Sealed bytes of a media object as they come, with credit: the server sends no further ahead than
 * `creditBytes` beyond what was taken. Iterate it once; leaving the iteration cancels the stream.
 */
export class MediaStream implements AsyncIterable<Uint8Array> {
  /** Bytes that may be under way or waiting here. */
  static readonly creditBytes = 4 * 1024 * 1024;

  readonly #queue: Uint8Array[] = [];
  readonly #link: { credit(bytes: number): void; ended(cancelled: boolean): void };
  #takenBytes = 0;
  #complete = false;
  #over = false;
  #failure: unknown;
  #wake: (() => void) | undefined;

  constructor(link: { credit(bytes: number): void; ended(cancelled: boolean): void }) {
    this.#link = link;
  }

  push(bytes: Uint8Array, last: boolean): void {
    if (this.#over) return;
    if (bytes.length > 0) this.#queue.push(bytes);
    if (last) {
      this.#complete = true;
      this.#finish(false);
    }
    this.#wake?.();
  }

  fail(error: unknown): void {
    if (this.#over) return;
    this.#failure = error;
    this.#finish(false);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const bytes = this.#queue.shift();
        if (bytes) {
          yield bytes;
          this.#taken(bytes.length);
          continue;
        }
        if (this.#complete) return;
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#over) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    } finally {
      this.#finish(true);
    }
  }

  #taken(bytes: number): void {
    this.#takenBytes += bytes;
    if (this.#over || this.#takenBytes < MediaStream.creditBytes / 4) return;
    this.#link.credit(this.#takenBytes);
    this.#takenBytes = 0;
  }

  #finish(cancelled: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#link.ended(cancelled);
  }
}
