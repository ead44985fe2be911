import { describe, expect, it } from "vitest";
import { CloseCode, type Frame, FrameDecoder, FrameError, fromHex, toHex } from "../src/index.ts";
import { readVectors, type Vector } from "./vector-file.ts";

interface FrameVector extends Vector {
  readonly frameBytesMax: number;
  readonly chunks: readonly string[];
  readonly frames: readonly unknown[];
  readonly expect: "frames" | { readonly error: string; readonly closeCode: number };
}

/** All frames of the chunks, and the error that ended them. */
function decode({ frameBytesMax, chunks }: FrameVector): [Frame[], FrameError | undefined] {
  const decoder = new FrameDecoder({ frameBytesMax });
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    try {
      frames.push(...decoder.push(fromHex(chunk)));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      return [[...frames, ...error.frames], error];
    }
  }
  return [frames, undefined];
}

describe("frames.json", () => {
  it.each(readVectors<FrameVector>("frames.json"))("$title", (vector) => {
    const [frames, error] = decode(vector);
    expect(frames.map((frame) => ({ ...frame, body: toHex(frame.body) }))).toEqual(vector.frames);
    if (vector.expect === "frames") return expect(error).toBeUndefined();
    expect(error?.closeCode).toBe(vector.expect.closeCode);
    expect(CloseCode[error?.closeCode ?? 0]).toBe(vector.expect.error);
  });
});
