import {
  type DescMessage,
  fromJson,
  type JsonValue,
  type Message,
  toJson,
} from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import * as protocol from "../src/index.ts";
import { type Frame, FrameDecoder, fromHex, limits, ProtocolError, toHex } from "../src/index.ts";
import { readVectors, type Vector } from "./vector-file.ts";

interface MessageVector extends Vector {
  readonly message: "Hello" | "Request" | "Response" | "Event" | "Record" | "Close";
  readonly stream: number;
  readonly json: JsonValue;
  readonly frame: string;
  readonly expect:
    | { readonly frame: string }
    | { readonly json: JsonValue }
    | { readonly error: string };
}

interface Codec {
  readonly schema: DescMessage;
  readonly encode: (stream: number, message: Message) => Uint8Array;
  readonly decode: (frame: Frame) => Message;
}

function codecOf(message: string): Codec {
  const exported = protocol as unknown as Readonly<Record<string, never>>;
  const schema = exported[`${message}Schema`];
  const encode = exported[`encode${message}`];
  const decode = exported[`decode${message}`];
  if (!schema || !encode || !decode) throw new Error(`there is no ${message}`);
  return { schema, encode, decode };
}

function frameOf(hex: string): Frame {
  const [frame] = new FrameDecoder({ frameBytesMax: limits.frameBytesMax }).push(fromHex(hex));
  if (!frame) throw new Error("the vector holds no frame");
  return frame;
}

describe("messages.json", () => {
  it.each(readVectors<MessageVector>("messages.json"))("$title", (vector) => {
    const { schema, encode, decode } = codecOf(vector.message);
    const { expect: expected } = vector;
    if ("frame" in expected) {
      const message = fromJson(schema, vector.json);
      expect(toHex(encode(vector.stream, message))).toBe(expected.frame);
      const frame = frameOf(expected.frame);
      expect(frame.stream).toBe(vector.stream);
      expect(toJson(schema, decode(frame))).toEqual(vector.json);
    } else if ("json" in expected) {
      expect(toJson(schema, decode(frameOf(vector.frame)))).toEqual(expected.json);
    } else {
      const refused = () => decode(frameOf(vector.frame));
      expect(refused).toThrow(ProtocolError);
      expect(refused).toThrow(
        expect.objectContaining({ code: protocol.ErrorCode[expected.error as "BAD_REQUEST"] }),
      );
    }
  });
});
