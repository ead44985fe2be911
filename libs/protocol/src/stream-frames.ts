import { ProtocolError } from "./errors.ts";
import { type Frame, FrameType } from "./frame.ts";
import { encodeFrame } from "./frame-encoder.ts";

/** Frames whose bodies are a few fixed bytes: credit, cancel, ping, pong. */
const creditBytes = 4;
const tokenBytes = 8;
const creditMax = 0xffff_ffff;

/** Lets a media stream send `bytes` more. Throws `RangeError` beyond what 32 bits hold. */
export function encodeCredit(stream: number, bytes: number): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(bytes) || bytes < 0 || bytes > creditMax) {
    throw new RangeError(`a credit of ${bytes} bytes`);
  }
  const body = new Uint8Array(creditBytes);
  new DataView(body.buffer).setUint32(0, bytes);
  return encodeFrame(FrameType.credit, stream, body);
}

/** Bytes that a CREDIT frame grants. Throws `ProtocolError`. */
export function decodeCredit({ body }: Frame): number {
  if (body.length !== creditBytes) throw new ProtocolError("a credit has 4 bytes");
  return new DataView(body.buffer, body.byteOffset, body.length).getUint32(0);
}

/** Ends a media stream. */
export function encodeCancel(stream: number): Uint8Array<ArrayBuffer> {
  return encodeFrame(FrameType.cancel, stream, new Uint8Array());
}

/** A ping with 8 bytes that its pong echoes. Throws `RangeError` for another number of bytes. */
export function encodePing(token: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeToken(FrameType.ping, token);
}

/** The answer to a ping, with the ping's bytes. Throws `RangeError` for another number of them. */
export function encodePong(token: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeToken(FrameType.pong, token);
}

/** The bytes of a PING or PONG frame. Throws `ProtocolError`. */
export function decodePing({ body }: Frame): Uint8Array {
  if (body.length !== tokenBytes) throw new ProtocolError("a ping has 8 bytes");
  return body;
}

function encodeToken(type: number, token: Uint8Array): Uint8Array<ArrayBuffer> {
  if (token.length !== tokenBytes) throw new RangeError(`a ping of ${token.length} bytes`);
  return encodeFrame(type, 0, token);
}
