import { frameHeaderBytes } from "./frame.ts";

/** What a frame's header says. */
export interface FrameHeader {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  /** Bytes of the body. */
  readonly length: number;
}

/** Writes a header to the first `frameHeaderBytes` of `target`. */
export function writeFrameHeader(target: Uint8Array, header: FrameHeader): void {
  const { type, flags, stream, length } = header;
  target[0] = length >>> 24;
  target[1] = length >>> 16;
  target[2] = length >>> 8;
  target[3] = length;
  target[4] = type;
  target[5] = flags;
  target[6] = stream >>> 24;
  target[7] = stream >>> 16;
  target[8] = stream >>> 8;
  target[9] = stream;
}

/** A whole frame in one allocation; `body` is copied. */
export function encodeFrame(
  type: number,
  stream: number,
  body: Uint8Array,
  flags = 0,
): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(frameHeaderBytes + body.length);
  writeFrameHeader(frame, { type, flags, stream, length: body.length });
  frame.set(body, frameHeaderBytes);
  return frame;
}

/** The header of a frame whose body of `length` bytes is written after it: media bytes are not copied. */
export function encodeFrameHeader(
  type: number,
  stream: number,
  length: number,
  flags = 0,
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(frameHeaderBytes);
  writeFrameHeader(header, { type, flags, stream, length });
  return header;
}
