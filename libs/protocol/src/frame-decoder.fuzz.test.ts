import fc from "fast-check";
import { expect, it } from "vitest";
import { type Frame, frameHeaderBytes } from "./frame.ts";
import { FrameDecoder } from "./frame-decoder.ts";
import { encodeFrame } from "./frame-encoder.ts";
import { FrameError } from "./frame-error.ts";

const frameBytesMax = 64;

const arbitraryFrame: fc.Arbitrary<Frame> = fc.record({
  type: fc.integer({ min: 0, max: 0xff }),
  flags: fc.integer({ min: 0, max: 0xff }),
  stream: fc.integer({ min: 0, max: 0xffff_ffff }),
  body: fc.uint8Array({ maxLength: frameBytesMax }),
});

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** `bytes` in pieces of these lengths, again and again; a length of 0 is an empty chunk. */
function* split(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    // A lone empty chunk for ever would not end.
    const end = at + (length === 0 && turn % 2 === 1 ? 1 : length);
    yield bytes.slice(at, end);
    at = end;
  }
}

/** What a decoder makes of chunks: all frames, and how it ended. */
function decode(chunks: Iterable<Uint8Array>): { frames: Frame[]; error: string | undefined } {
  const decoder = new FrameDecoder({ frameBytesMax });
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    try {
      frames.push(...decoder.push(chunk));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      frames.push(...error.frames);
      return { frames, error: error.code };
    }
    expect(decoder.bufferedBytes).toBeLessThanOrEqual(frameHeaderBytes + frameBytesMax);
  }
  return { frames, error: undefined };
}

const lengths = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 12 });

it("any split of the bytes gives the same frames", () => {
  fc.assert(
    fc.property(fc.array(arbitraryFrame, { maxLength: 20 }), lengths, (frames, pieces) => {
      const bytes = join(frames.map((f) => encodeFrame(f.type, f.stream, f.body, f.flags)));
      expect(decode(split(bytes, pieces))).toEqual({ frames, error: undefined });
    }),
    { numRuns: 500 },
  );
});

it("garbage gives frames or a FrameError, the same for every split, in bounded memory", () => {
  // Lengths near the limit, or garbage would end at its first header.
  const garbage = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc
        .integer({ min: 0, max: frameBytesMax + 4 })
        .map((length) => Uint8Array.of(0, 0, 0, length, 6, 0, 0, 0, 0, 1)),
    ),
    { maxLength: 30 },
  );
  let refused = 0;
  let accepted = 0;
  fc.assert(
    fc.property(garbage, lengths, (parts, pieces) => {
      const bytes = join(parts);
      const whole = decode([bytes]);
      expect(decode(split(bytes, pieces))).toEqual(whole);
      if (whole.error === undefined) accepted++;
      else refused++;
    }),
    { numRuns: 1000 },
  );
  expect(refused).toBeGreaterThan(0);
  expect(accepted).toBeGreaterThan(0);
});
