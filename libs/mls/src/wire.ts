import { decodeMlsMessage, encodeMlsMessage, type MLSMessage, type RatchetTree } from "ts-mls";
import { decodeRatchetTree, encodeRatchetTree } from "ts-mls/ratchetTree.js";
import { MlsError } from "./mls-error.ts";

/** The largest message of each kind that is looked at at all. */
export const mlsBytesMax = {
  message: 256 * 1024,
  handshake: 4 * 1024 * 1024,
  tree: 16 * 1024 * 1024,
} as const;

type Wireformat = MLSMessage["wireformat"];
type MessageOf<Kind extends Wireformat> = Extract<MLSMessage, { wireformat: Kind }>;

/**
 * Decodes one message of a kind: size first, nothing may follow it, and no throw but `MlsError`
 * (BAD_MESSAGE, TOO_LARGE).
 */
export function decodeMessage<Kind extends Wireformat>(
  bytes: Uint8Array,
  kind: Kind,
  bytesMax: number,
): MessageOf<Kind> {
  const message = decodeWhole(bytes, bytesMax, (input) => decodeMlsMessage(input, 0));
  if (message.wireformat !== kind)
    throw new MlsError("BAD_MESSAGE", `not a message of kind ${kind}`);
  return message as MessageOf<Kind>;
}

export function encodeMessage(message: MLSMessage): Uint8Array {
  return encodeMlsMessage(message);
}

/** Decodes a ratchet tree as it travels beside a Welcome. Throws `MlsError`. */
export function decodeTree(bytes: Uint8Array): RatchetTree {
  return decodeWhole(bytes, mlsBytesMax.tree, (input) => decodeRatchetTree(input, 0));
}

export function encodeTree(tree: RatchetTree): Uint8Array {
  return encodeRatchetTree(tree);
}

/** Decodes a value that must fill `bytes`. */
export function decodeWhole<Value>(
  bytes: Uint8Array,
  bytesMax: number,
  decode: (input: Uint8Array) => [Value, number] | undefined,
): Value {
  if (bytes.length > bytesMax)
    throw new MlsError("TOO_LARGE", `${bytes.length} bytes; at most ${bytesMax} are read`);
  let decoded: [Value, number] | undefined;
  try {
    decoded = decode(bytes);
  } catch (cause) {
    throw new MlsError("BAD_MESSAGE", "bytes that cannot be read", { cause });
  }
  if (!decoded || decoded[1] !== bytes.length)
    throw new MlsError("BAD_MESSAGE", "bytes that are not one whole message");
  return decoded[0];
}
