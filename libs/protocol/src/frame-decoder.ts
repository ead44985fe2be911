import { type Frame, frameHeaderBytes } from "./frame.ts";
import { FrameError } from "./frame-error.ts";

/**
 * Cuts a stream of bytes into frames, however the bytes are split. The announced length is checked
 * before anything is kept for it, so never more than one header and `frameBytesMax` are buffered.
 *
 * Ownership: a body that lies whole in one chunk is a view of that chunk, so whoever pushes a chunk
 * must not change it afterwards, and whoever keeps a body for long should copy it, because the view
 * keeps its whole chunk alive. A body that spanned chunks is a buffer of its own.
 */
export class FrameDecoder {
  #frameBytesMax: number;
  readonly #header = new Uint8Array(frameHeaderBytes);
  #headerFilled = 0;
  /** The body under way where it spans chunks, and how much of it is there. */
  #body: Uint8Array | undefined;
  #bodyFilled = 0;
  #dead = false;

  constructor(options: { readonly frameBytesMax: number }) {
    this.#frameBytesMax = options.frameBytesMax;
  }

  /** Memory held for a frame that is not complete: at most a header and `frameBytesMax`. */
  get bufferedBytes(): number {
    return this.#headerFilled + (this.#body?.length ?? 0);
  }

  /** Accepts larger frames from now on: after login. A lower limit than before changes nothing. */
  raiseLimit(frameBytesMax: number): void {
    this.#frameBytesMax = Math.max(this.#frameBytesMax, frameBytesMax);
  }

  /** The frames that `chunk` completes, in order. Throws `FrameError`, which carries those before it. */
  push(chunk: Uint8Array): Frame[] {
    if (this.#dead) throw new FrameError("DEAD", "the decoder has erred before");
    const frames: Frame[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerFilled < frameHeaderBytes) {
        at += this.#takeHeader(chunk, at);
        if (this.#headerFilled < frameHeaderBytes) break;
        this.#checkLength(frames);
      }
      const length = this.#bodyLength();
      if (!this.#body && chunk.length - at >= length) {
        frames.push(this.#frame(chunk.subarray(at, at + length)));
        at += length;
        continue;
      }
      at += this.#takeBody(chunk, at, length);
      if (this.#body && this.#bodyFilled === length) frames.push(this.#frame(this.#body));
    }
    return frames;
  }

  #takeHeader(chunk: Uint8Array, at: number): number {
    const taken = Math.min(frameHeaderBytes - this.#headerFilled, chunk.length - at);
    for (let i = 0; i < taken; i++) this.#header[this.#headerFilled + i] = chunk[at + i] ?? 0;
    this.#headerFilled += taken;
    return taken;
  }

  #takeBody(chunk: Uint8Array, at: number, length: number): number {
    if (at === chunk.length) return 0;
    this.#body ??= new Uint8Array(length);
    const taken = Math.min(length - this.#bodyFilled, chunk.length - at);
    this.#body.set(chunk.subarray(at, at + taken), this.#bodyFilled);
    this.#bodyFilled += taken;
    return taken;
  }

  #bodyLength(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#header;
    return a * 0x1000000 + (b << 16) + (c << 8) + d;
  }

  #checkLength(before: readonly Frame[]): void {
    const length = this.#bodyLength();
    if (length <= this.#frameBytesMax) return;
    this.#dead = true;
    this.#headerFilled = 0;
    throw new FrameError(
      "FRAME_TOO_LARGE",
      `a frame of ${length} bytes; at most ${this.#frameBytesMax} are taken`,
      before,
    );
  }

  #frame(body: Uint8Array): Frame {
    const [, , , , type = 0, flags = 0, e = 0, f = 0, g = 0, h = 0] = this.#header;
    this.#headerFilled = 0;
    this.#body = undefined;
    this.#bodyFilled = 0;
    return { type, flags, stream: e * 0x1000000 + (f << 16) + (g << 8) + h, body };
  }
}
