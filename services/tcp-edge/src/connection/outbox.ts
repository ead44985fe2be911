import type { Wire } from "./wire.ts";

/** A media frame on its way out. */
export interface MediaFrame {
  readonly stream: number;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  /** The wire has it, or it was thrown away: the next one may come. */
  readonly taken: () => void;
}

export interface OutboxOptions {
  readonly wire: Pick<Wire, "write" | "writePair" | "bufferedBytes">;
  /** What may wait at first, counted as `waitingBytes` counts it. */
  readonly bytesMax: number;
  /** Asks for one `flush` at the end of the turn. */
  readonly schedule: (outbox: Outbox) => void;
  /** Once, when `bytesMax` is passed: the client reads too slowly and is to be closed. */
  readonly overflowed: () => void;
}

/** Frames up to this size are joined into one write, up to this size in all. */
const joinBytesMax = 64 * 1024;
/** What a frame that waits costs beside its bytes: the objects around a small one take 210 to 232 bytes. */
const frameOverheadBytes = 256;
/** Places of written frames at the front of the queue before it is moved up. */
const writtenFramesMax = 1024;

/**
 * What waits to be written to one client: messages first, and between them at most one media frame
 * at a time. A flush writes as much as the wire takes. Over `bytesMax` it says so and takes
 * nothing more.
 */
export class Outbox {
  readonly #wire: OutboxOptions["wire"];
  readonly #schedule: (outbox: Outbox) => void;
  readonly #overflowed: () => void;
  #bytesMax: number;
  /** Frames that were written are gone; their places stay for a while. */
  #frames: (Uint8Array | undefined)[] = [];
  /** Where in `#frames` the next one to write is. */
  #next = 0;
  /** Of the frames that wait, with what each costs. */
  #queuedBytes = 0;
  #media: MediaFrame[] = [];
  #scheduled = false;
  #blocked = false;
  #closed = false;
  #waiting: { readonly bytes: number; readonly resume: () => void }[] = [];
  #flushed: (() => void) | undefined;

  constructor(options: OutboxOptions) {
    this.#wire = options.wire;
    this.#bytesMax = options.bytesMax;
    this.#schedule = options.schedule;
    this.#overflowed = options.overflowed;
  }

  /** Bytes of messages that wait, in the wire or here; each that waits here counts for what it costs beside its own. */
  get waitingBytes(): number {
    return this.#queuedBytes + this.#wire.bufferedBytes;
  }

  /** From now on so much may wait. */
  setLimit(bytesMax: number): void {
    this.#bytesMax = bytesMax;
  }

  /** Takes one whole frame. It may be shared with other outboxes: nobody changes it. */
  push(frame: Uint8Array): void {
    if (this.#closed) return;
    this.#queuedBytes += frame.length + frameOverheadBytes;
    this.#frames.push(frame);
    if (this.#blocked) {
      if (this.waitingBytes > this.#bytesMax) this.#overflow();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      this.#schedule(this);
    } else if (this.#queuedBytes > this.#bytesMax) {
      this.flush();
    }
  }

  /** Takes one media frame. A stream has at most one here at a time: it waits for `taken`. */
  pushMedia(frame: MediaFrame): void {
    if (this.#closed) {
      frame.taken();
      return;
    }
    this.#media.push(frame);
    if (this.#blocked || this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(this);
  }

  /** Throws away what a media stream has waiting. */
  dropMedia(stream: number): void {
    const dropped = this.#media.filter((frame) => frame.stream === stream);
    this.#media = this.#media.filter((frame) => frame.stream !== stream);
    for (const frame of dropped) frame.taken();
  }

  /** Writes messages, then media frames one by one, as long as the wire takes them. */
  flush(): void {
    this.#scheduled = false;
    while (!this.#blocked && !this.#closed) {
      if (this.#next < this.#frames.length) this.#writeMessages();
      else if (this.#media.length > 0) this.#writeMedia();
      else break;
    }
    if (this.#blocked && this.waitingBytes > this.#bytesMax) this.#overflow();
    this.#wake();
  }

  /** The wire has room again. */
  drained(): void {
    this.#blocked = false;
    this.flush();
  }

  /** Resolves when fewer than `bytes` wait, or the outbox is closed. */
  below(bytes: number): Promise<void> {
    if (this.#closed || this.waitingBytes < bytes) return Promise.resolve();
    return new Promise((resume) => this.#waiting.push({ bytes, resume }));
  }

  /** Writes what is there and then calls `flushed`; takes nothing more. */
  finish(flushed: () => void): void {
    if (this.#closed) {
      flushed();
      return;
    }
    this.#dropAllMedia();
    this.#flushed = flushed;
    this.flush();
  }

  /** Throws everything away. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#frames = [];
    this.#next = 0;
    this.#queuedBytes = 0;
    this.#dropAllMedia();
    this.#wake();
  }

  #writeMessages(): void {
    const frames = this.#frames;
    const first = frames[this.#next];
    if (!first) return;
    let end = this.#next + 1;
    let bytes = first.length;
    for (; end < frames.length; end++) {
      const length = frames[end]?.length ?? 0;
      if (bytes + length > joinBytesMax) break;
      bytes += length;
    }
    const count = end - this.#next;
    const joined = count === 1 ? first : join(frames, this.#next, end, bytes);
    this.#queuedBytes -= bytes + count * frameOverheadBytes;
    this.#forget(end);
    this.#blocked = !this.#wire.write(joined);
  }

  /** Lets go of what is written: a queue that never runs empty must not keep all that ever was in it. */
  #forget(end: number): void {
    const frames = this.#frames;
    frames.fill(undefined, this.#next, end);
    this.#next = end;
    if (end < frames.length && (end < writtenFramesMax || 2 * end < frames.length)) return;
    this.#frames = frames.slice(end);
    this.#next = 0;
  }

  #writeMedia(): void {
    const frame = this.#media.shift();
    if (!frame) return;
    this.#blocked = !this.#wire.writePair(frame.header, frame.body);
    frame.taken();
  }

  #wake(): void {
    if (this.#waiting.length > 0) {
      const waitingBytes = this.#closed ? 0 : this.waitingBytes;
      const ready = this.#waiting.filter((waiter) => this.#closed || waitingBytes < waiter.bytes);
      this.#waiting = this.#waiting.filter((waiter) => !ready.includes(waiter));
      for (const waiter of ready) waiter.resume();
    }
    if (this.#flushed && (this.#closed || this.#next >= this.#frames.length)) {
      const flushed = this.#flushed;
      this.#flushed = undefined;
      flushed();
    }
  }

  #overflow(): void {
    if (this.#closed) return;
    this.#overflowed();
  }

  #dropAllMedia(): void {
    const dropped = this.#media;
    this.#media = [];
    for (const frame of dropped) frame.taken();
  }
}

function join(
  frames: readonly (Uint8Array | undefined)[],
  from: number,
  to: number,
  bytes: number,
): Buffer {
  const joined = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (let index = from; index < to; index++) {
    const frame = frames[index];
    if (!frame) continue;
    joined.set(frame, at);
    at += frame.length;
  }
  return joined;
}
