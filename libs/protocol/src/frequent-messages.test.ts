import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameFlag, FrameType } from "./frame.ts";
import { encodeFrame } from "./frame-encoder.ts";
import { encodeRequest, encodeResponse } from "./frames.ts";
import {
  encodeArchivedMessage,
  encodeRecord,
  encodeStoredMessage,
  readRecord,
  readStoredMessage,
} from "./frequent-messages.ts";
import {
  RecordSchema,
  RequestSchema,
  ResponseSchema,
  StoredMessageSchema,
} from "./gen/sotto/v1/client_pb.js";
import { ArchivedEntrySchema } from "./gen/sotto/v1/devices_pb.js";

/** What protobuf-es makes of the message, as the body of a critical frame. */
function reference<Desc extends DescMessage>(
  schema: Desc,
  type: number,
  stream: number,
  init: MessageInitShape<Desc>,
): Uint8Array {
  return encodeFrame(type, stream, toBinary(schema, create(schema, init)), FrameFlag.critical);
}

// Sizes around the borders of a length's varint: 127, 128, 16,383, 16,384.
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.integer({ min: 120, max: 135 }).map((length) => new Uint8Array(length).fill(7)),
  fc.integer({ min: 16_370, max: 16_390 }).map((length) => new Uint8Array(length).fill(7)),
);
const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 300n }),
  fc.bigInt({ min: 2n ** 31n, max: 2n ** 33n }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
);
const stream = fc.integer({ min: 0, max: 0xffff_ffff });
const partly = { requiredKeys: [] };

describe("messages written by hand are byte for byte those of protobuf-es", () => {
  it("Record", () => {
    const fields = {
      room: bytes,
      sequence: uint64,
      kind: fc.nat(2),
      handshake: uint64,
      data: bytes,
    };
    fc.assert(
      fc.property(stream, fc.record(fields, partly), (at, init) => {
        expect(encodeRecord(at, init)).toEqual(reference(RecordSchema, FrameType.record, at, init));
      }),
    );
  });

  it("Append", () => {
    const fields = { room: bytes, id: bytes, handshake: uint64, sealed: bytes };
    fc.assert(
      fc.property(stream, fc.record(fields, partly), (at, value) => {
        const init = { body: { case: "append" as const, value } };
        expect(encodeRequest(at, init)).toEqual(
          reference(RequestSchema, FrameType.request, at, init),
        );
      }),
    );
  });

  it("Appended", () => {
    const position = fc.record({ incarnation: bytes, sequence: uint64 }, partly);
    fc.assert(
      fc.property(stream, fc.record({ position, duplicate: fc.boolean() }, partly), (at, value) => {
        const init = { body: { case: "appended" as const, value } };
        expect(encodeResponse(at, init)).toEqual(
          reference(ResponseSchema, FrameType.response, at, init),
        );
      }),
    );
  });

  it("StoredMessage", () => {
    fc.assert(
      fc.property(fc.record({ device: bytes, id: bytes, sealed: bytes }, partly), (init) => {
        expect(encodeStoredMessage(init)).toEqual(
          toBinary(StoredMessageSchema, create(StoredMessageSchema, init)),
        );
      }),
    );
  });
});

it("numbers that no uint64 holds are refused", () => {
  expect(() => encodeRecord(0, { sequence: -1n })).toThrow(RangeError);
  expect(() => encodeRecord(0, { handshake: 2n ** 64n })).toThrow(RangeError);
});

it("an archived message is written byte for byte as protobuf-es writes it", () => {
  const fields = { sequence: uint64, sender: bytes, device: bytes, content: bytes };
  fc.assert(
    fc.property(bytes, fc.record(fields), fc.boolean(), bytes, (room, message, passOn, toldBy) => {
      const entry = create(ArchivedEntrySchema, { room, message, passOn, toldBy });
      const written = encodeArchivedMessage({ room, ...message, passOn, toldBy });
      expect(written).toEqual(toBinary(ArchivedEntrySchema, entry));
    }),
  );
});

describe("messages read by hand are those that protobuf-es reads", () => {
  const record = { room: bytes, sequence: uint64, kind: fc.nat(2), handshake: uint64, data: bytes };
  const stored = { device: bytes, id: bytes, sealed: bytes };
  const cases = [
    ["Record", RecordSchema, fc.record(record, partly), readRecord],
    ["StoredMessage", StoredMessageSchema, fc.record(stored, partly), readStoredMessage],
  ] as const;

  /** What becomes of bytes; a message's own shape does not count. */
  const outcome = (read: () => object): unknown => {
    try {
      return { ...read() };
    } catch {
      return "malformed";
    }
  };

  it.each(cases)("%s", (_name, schema, inits, read) => {
    fc.assert(
      fc.property(inits, (init) => {
        const encoded = toBinary(schema as DescMessage, create(schema as DescMessage, init));
        expect(outcome(() => read(encoded))).toEqual(outcome(() => fromBinary(schema, encoded)));
      }),
    );
  });

  it.each(cases)(
    "%s, however it is written, cut off or malformed",
    (_name, schema, inits, read) => {
      const same = (encoded: Uint8Array) =>
        expect(outcome(() => read(encoded))).toEqual(outcome(() => fromBinary(schema, encoded)));
      fc.assert(
        fc.property(
          inits,
          inits,
          fc.nat(),
          fc.uint8Array({ maxLength: 8 }),
          (one, two, at, more) => {
            const [first, second] = [one, two].map((init) =>
              toBinary(schema as DescMessage, create(schema as DescMessage, init)),
            ) as [Uint8Array, Uint8Array];
            same(new Uint8Array([...first, ...second]));
            same(new Uint8Array([...first, ...more]));
            same(first.subarray(0, at % (first.length + 1)));
            const changed = first.slice();
            const place = at % Math.max(1, Math.min(changed.length, 40));
            changed[place] = (changed[place] ?? 0) ^ (1 + (at % 255));
            same(changed);
          },
        ),
      );
    },
  );
});
