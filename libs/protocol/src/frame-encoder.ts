import { frameHeaderBytes } from "./frame.ts";

/** Writes a frame's header at `at`. */
function writeHeader(target: Uint8Array, at: number, type: number, stream: number, length: number, flags: number): void {
  target[at] = length >>> 24;
  target[at + 1] = length >>> 16;
  target[at + 2] = length >>> 8;
  target[at + 3] = length;
  target[at + 4] = type;
  target[at + 5] = flags;
  target[at + 6] = stream >>> 24;
  target[at + 7] = stream >>> 16;
  target[at + 8] = stream >>> 8;
  target[at + 9] = stream;
}

/** A whole frame in one allocation; `body` is copied. */
export function encodeFrame(type: number, stream: number, body: Uint8Array, flags = 0): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(frameHeaderBytes + body.length);
  writeHeader(frame, 0, type, stream, body.length, flags);
  frame.set(body, frameHeaderBytes);
  return frame;
}

/** The header of a frame whose body of `length` bytes is written after it: media bytes are not copied. */
export function encodeFrameHeader(type: number, stream: number, length: number, flags = 0): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(frameHeaderBytes);
  writeHeader(header, 0, type, stream, length, flags);
  return header;
}
