import { describe, expect, it } from "vitest";
import { FrameType, frameHeaderBytes } from "./frame.ts";
import { FrameDecoder } from "./frame-decoder.ts";
import { encodeFrame, encodeFrameHeader } from "./frame-encoder.ts";
import { FrameError } from "./frame-error.ts";
import { CloseCode } from "./gen/sotto/v1/client_pb.js";

const frame = encodeFrame(FrameType.media, 3, new Uint8Array([1, 2, 3, 4]));

function errorOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("a frame decoder", () => {
  it("gives a body that lies whole in a chunk as a view of it", () => {
    const decoder = new FrameDecoder({ frameBytesMax: 16 });
    const [decoded] = decoder.push(frame);
    expect(decoded?.body.buffer).toBe(frame.buffer);
    expect(decoded?.body.byteOffset).toBe(frameHeaderBytes);
  });

  it("gives a body that spanned chunks as a buffer of its own", () => {
    const decoder = new FrameDecoder({ frameBytesMax: 16 });
    const [first, second] = [frame.slice(0, 12), frame.slice(12)];
    decoder.push(first);
    const [decoded] = decoder.push(second);
    first.fill(0);
    second.fill(0);
    expect(decoded?.body).toEqual(new Uint8Array([1, 2, 3, 4]));
  });

  it("holds memory for an unfinished frame only, and lets go of it", () => {
    const decoder = new FrameDecoder({ frameBytesMax: 16 });
    decoder.push(frame.subarray(0, 4));
    expect(decoder.bufferedBytes).toBe(4);
    decoder.push(frame.subarray(4, 11));
    expect(decoder.bufferedBytes).toBe(frameHeaderBytes + 4);
    decoder.push(frame.subarray(11));
    expect(decoder.bufferedBytes).toBe(0);
  });

  it("takes no memory for a body of which nothing has come", () => {
    const decoder = new FrameDecoder({ frameBytesMax: 0xffff_ffff });
    decoder.push(encodeFrameHeader(FrameType.media, 3, 0xffff_ffff));
    expect(decoder.bufferedBytes).toBe(frameHeaderBytes);
  });

  it("takes larger frames after its limit was raised, and never smaller ones", () => {
    const decoder = new FrameDecoder({ frameBytesMax: 3 });
    decoder.raiseLimit(4);
    decoder.raiseLimit(2);
    expect(decoder.push(frame)).toHaveLength(1);
  });

  it("is dead after an error: it says how to close, and takes nothing more", () => {
    const decoder = new FrameDecoder({ frameBytesMax: 3 });
    expect(errorOf(() => decoder.push(frame))).toMatchObject({
      code: "FRAME_TOO_LARGE",
      closeCode: CloseCode.FRAME_TOO_LARGE,
    });
    decoder.raiseLimit(16);
    const again = errorOf(() => decoder.push(frame));
    expect(again).toBeInstanceOf(FrameError);
    expect(again).toMatchObject({ code: "DEAD", closeCode: CloseCode.PROTOCOL_ERROR, frames: [] });
  });
});
