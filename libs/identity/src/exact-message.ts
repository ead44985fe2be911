import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";

/**
 * The message in `bytes`, where they are the one encoding of it: fields in order, none unknown. For the envelopes
 * around signed bytes, so that nobody can respell what somebody else signed. Throws where they are not.
 */
export function readExact<Schema extends DescMessage>(
  schema: Schema,
  bytes: Uint8Array,
): MessageShape<Schema> {
  const message = fromBinary(schema, bytes, { readUnknownFields: false });
  const again = toBinary(schema, message);
  if (again.length !== bytes.length || again.some((byte, at) => byte !== bytes[at]))
    throw new RangeError("not the one encoding of a message");
  return message;
}
