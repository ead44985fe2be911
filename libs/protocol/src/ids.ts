/**
 * Identifiers, as lower-case hex inside programs and as raw bytes on the wire. Parsing happens
 * once, at the boundary; a branded value is known to be well-formed.
 */

/** A person's account: 16 bytes, 32 hex characters. */
export type UserId = string & { readonly __user: unique symbol };
/** One device of a person: 16 bytes, 32 hex characters. */
export type DeviceId = string & { readonly __device: unique symbol };
/** A room: 16 random bytes, or 32 bytes derived from its two users for a direct conversation. */
export type RoomId = string & { readonly __room: unique symbol };
/** A media object: 16 random bytes for a file, 32 bytes (its SHA-256) for a part. */
export type ObjectId = string & { readonly __object: unique symbol };
/** A message's id, unique for its device: 16 random bytes. */
export type MessageId = string & { readonly __message: unique symbol };

/** Thrown where bytes or text are not the identifier that they should be. */
export class IdError extends Error {
  override readonly name = "IdError";
}

const hexPattern = /^(?:[0-9a-f]{2})+$/;

function fromText<Id extends string>(what: string, text: string, lengths: readonly number[]): Id {
  if (!lengths.includes(text.length / 2) || !hexPattern.test(text)) {
    throw new IdError(`not ${what}: expected ${lengths.join(" or ")} bytes of lower-case hex`);
  }
  return text as Id;
}

const digits = "0123456789abcdef";
const codeOfDigit = Uint8Array.from(digits, (digit) => digit.charCodeAt(0));
/** The value of a digit by its character code; 16 where the character is none. */
const valueOfCode = new Uint8Array(128).fill(16);
for (let value = 0; value < 16; value++) {
  const digit = digits.charAt(value);
  valueOfCode[digit.charCodeAt(0)] = value;
  valueOfCode[digit.toUpperCase().charCodeAt(0)] = value;
}
/** Identifiers and hashes are made in one piece; of more than this a call would have too many arguments. */
const pieceBytes = 512;

/** Lower-case hex of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    const end = Math.min(bytes.length, from + pieceBytes);
    const codes: number[] = [];
    for (let at = from; at < end; at++) {
      const byte = bytes[at] ?? 0;
      codes.push(codeOfDigit[byte >> 4] ?? 0, codeOfDigit[byte & 15] ?? 0);
    }
    text += String.fromCharCode.apply(undefined, codes);
  }
  return text;
}

/** Bytes of lower-case or upper-case hex. Throws `IdError` where it is not hex. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0) throw new IdError("not hex");
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = valueOfCode[text.charCodeAt(2 * i)] ?? 16;
    const low = valueOfCode[text.charCodeAt(2 * i + 1)] ?? 16;
    if (high > 15 || low > 15) throw new IdError("not hex");
    bytes[i] = (high << 4) | low;
  }
  return bytes;
}

function parser<Id extends string>(what: string, lengths: readonly number[]) {
  /** Accepts raw bytes or hex; throws `IdError`. */
  return (value: Uint8Array | string): Id => {
    if (typeof value === "string") return fromText<Id>(what, value, lengths);
    if (!lengths.includes(value.length)) {
      throw new IdError(`not ${what}: ${value.length} bytes, expected ${lengths.join(" or ")}`);
    }
    return toHex(value) as Id;
  };
}

export const parseUserId: (value: Uint8Array | string) => UserId = parser("a user id", [16]);
export const parseDeviceId: (value: Uint8Array | string) => DeviceId = parser("a device id", [16]);
export const parseRoomId: (value: Uint8Array | string) => RoomId = parser("a room id", [16, 32]);
export const parseObjectId: (value: Uint8Array | string) => ObjectId = parser(
  "an object id",
  [16, 32],
);
export const parseMessageId: (value: Uint8Array | string) => MessageId = parser(
  "a message id",
  [16],
);

/** A uint64 of the wire as a number. Throws `IdError` below 0 and beyond 2^53 - 1. */
export function toSafeNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) throw new IdError("number beyond 2^53 - 1");
  return number;
}
