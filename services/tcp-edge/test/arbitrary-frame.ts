import type { MessageInitShape } from "@bufbuild/protobuf";
import { encodeFrame, encodeRequest, type RequestSchema } from "@sotto/protocol";
import fc from "fast-check";

type RequestBody = NonNullable<MessageInitShape<typeof RequestSchema>["body"]>;

/** Anything, up to a few frames' worth. */
export const arbitraryBytes: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 64 });

const stream = fc.integer({ min: 0, max: 8 });
/** Identifiers of the right length, few enough to meet, or of a wrong one. */
const id = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 4 }).map((n) => new Uint8Array(16).fill(n)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
);
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const authenticate = fc.boolean().map(
  (quiet): RequestBody => ({
    case: "authenticate",
    value: {
      protocolVersion: 1,
      device: new Uint8Array(16),
      nonce: new Uint8Array(32),
      signature: new Uint8Array(64),
      quiet,
    },
  }),
);

const body: fc.Arbitrary<RequestBody> = fc.oneof(
  { weight: 4, arbitrary: authenticate },
  fc
    .record({ room: id, id, handshake: u64, sealed: fc.uint8Array() })
    .map((value) => ({ case: "append" as const, value })),
  fc
    .record({
      room: id,
      after: fc.record({ incarnation: fc.uint8Array({ maxLength: 40 }), sequence: u64 }),
      afterSha256: fc.uint8Array({ maxLength: 40 }),
    })
    .map((value) => ({ case: "subscribe" as const, value })),
  fc.record({ room: id }).map((value) => ({ case: "unsubscribe" as const, value })),
  fc
    .record({ room: id, kind: fc.integer({ min: 0, max: 9 }) })
    .map((value) => ({ case: "sendSignal" as const, value })),
  fc
    .record({ state: fc.integer({ min: 0, max: 9 }) })
    .map((value) => ({ case: "setPresence" as const, value })),
  fc
    .record({
      room: id,
      object: id,
      piece: fc.nat(),
      bytes: fc.integer({ min: 0, max: 2_000_000 }),
    })
    .map((value) => ({ case: "putPiece" as const, value })),
  fc
    .record({ room: id, object: id, offset: u64, length: u64, credit: fc.nat() })
    .map((value) => ({ case: "openObject" as const, value })),
  fc
    .record({ room: id, envelope: fc.uint8Array() })
    .map((value) => ({ case: "commit" as const, value })),
  fc.record({ room: id }).map((value) => ({ case: "listObjects" as const, value })),
  fc.constant({ case: "listRooms" as const, value: {} }),
  fc
    .record({ id, data: fc.uint8Array() })
    .map((value) => ({ case: "appendArchive" as const, value })),
  fc
    .record({
      after: fc.record({ incarnation: fc.uint8Array({ maxLength: 40 }), sequence: u64 }),
      afterSha256: fc.uint8Array({ maxLength: 40 }),
      limit: fc.nat(),
    })
    .map((value) => ({ case: "readArchive" as const, value })),
  fc.record({ cannotOpen: fc.nat() }).map((value) => ({ case: "reportTrouble" as const, value })),
  fc.record({ room: id }).map((value) => ({ case: "getHandshake" as const, value })),
  fc
    .record({ note: fc.uint8Array(), from: u64, records: fc.array(fc.uint8Array()) })
    .map((value) => ({ case: "handBackRecords" as const, value })),
  fc.record({ channel: id }).map((value) => ({ case: "openLink" as const, value })),
  fc
    .record({ channel: id, number: fc.nat(), sealed: fc.uint8Array() })
    .map((value) => ({ case: "putLink" as const, value })),
  fc
    .record({ channel: id, number: fc.nat() })
    .map((value) => ({ case: "getLink" as const, value })),
  fc
    .record({ serverToken: fc.uint8Array({ maxLength: 40 }), record: fc.uint8Array() })
    .map((value) => ({ case: "register" as const, value })),
);

/** Whole frames, as a client could send them: sensible requests, and frames of any type. */
export const arbitraryFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(stream, body).map(([at, init]) => encodeRequest(at, { body: init })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.integer({ min: 0, max: 255 }),
        stream,
        fc.uint8Array(),
        fc.integer({ min: 0, max: 3 }),
      )
      .map(([type, at, bytes, flags]) => encodeFrame(type, at, bytes, flags)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom(6, 7, 8, 9, 11),
        stream,
        fc.uint8Array(),
        fc.integer({ min: 0, max: 3 }),
      )
      .map(([type, at, bytes, flags]) => encodeFrame(type, at, bytes, flags)),
  },
);
