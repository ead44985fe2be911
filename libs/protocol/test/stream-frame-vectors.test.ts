import { describe, expect, it } from "vitest";
import {
  decodeCredit,
  decodePing,
  encodeCancel,
  encodeCredit,
  encodePing,
  encodePong,
  type Frame,
  FrameDecoder,
  fromHex,
  ProtocolError,
  toHex,
} from "../src/index.ts";
import { readVectors, type Vector } from "./vector-file.ts";

interface StreamFrameVector extends Vector {
  readonly function: keyof typeof encoders | keyof typeof decoders;
  readonly arguments: { readonly stream: number; readonly bytes: number; readonly token: string };
  readonly frame: string;
  readonly expect: "refused" | { readonly frame: string } | { readonly error: string };
}

type Arguments = StreamFrameVector["arguments"];
const encoders = {
  encodeCredit: ({ stream, bytes }: Arguments) => encodeCredit(stream, bytes),
  encodeCancel: ({ stream }: Arguments) => encodeCancel(stream),
  encodePing: ({ token }: Arguments) => encodePing(fromHex(token)),
  encodePong: ({ token }: Arguments) => encodePong(fromHex(token)),
};
const decoders: Readonly<Record<string, (frame: Frame) => unknown>> = { decodeCredit, decodePing };

describe("stream-frames.json", () => {
  it.each(readVectors<StreamFrameVector>("stream-frames.json"))("$title", (vector) => {
    const { expect: expected } = vector;
    const encode = encoders[vector.function as keyof typeof encoders];
    if (expected === "refused") {
      expect(() => encode(vector.arguments)).toThrow(RangeError);
    } else if ("frame" in expected) {
      expect(toHex(encode(vector.arguments))).toBe(expected.frame);
    } else {
      const [frame] = new FrameDecoder({ frameBytesMax: 64 }).push(fromHex(vector.frame));
      if (!frame) throw new Error("the vector holds no frame");
      expect(() => decoders[vector.function]?.(frame)).toThrow(ProtocolError);
    }
  });
});
