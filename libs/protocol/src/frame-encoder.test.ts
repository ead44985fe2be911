import { expect, it } from "vitest";
import { FrameFlag, FrameType, frameHeaderBytes } from "./frame.ts";
import { encodeFrame, encodeFrameHeader } from "./frame-encoder.ts";

it("a header's numbers are big-endian and use all their bits", () => {
  const header = encodeFrameHeader(0xf6, 0x8a0b0c0d, 0x81020304, 0xf2);
  const bytes = [0x81, 2, 3, 4, 0xf6, 0xf2, 0x8a, 0x0b, 0x0c, 0x0d];
  expect(header).toEqual(Uint8Array.from(bytes));
});

it("a header and its body written one after the other are the whole frame", () => {
  const body = new Uint8Array([9, 8, 7]);
  const whole = encodeFrame(FrameType.media, 0xffff_fffe, body, FrameFlag.end);
  const header = encodeFrameHeader(FrameType.media, 0xffff_fffe, body.length, FrameFlag.end);
  expect(header).toHaveLength(frameHeaderBytes);
  expect(new Uint8Array([...header, ...body])).toEqual(whole);
});

it("a frame is copied into memory of its own", () => {
  const body = new Uint8Array([1]);
  const frame = encodeFrame(FrameType.media, 1, body);
  body[0] = 2;
  expect(frame[frameHeaderBytes]).toBe(1);
  expect(frame.buffer.byteLength).toBe(frameHeaderBytes + 1);
});
