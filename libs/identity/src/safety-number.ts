import { fromHex, type UserId } from "@sotto/protocol";

const iterations = 1024;

/** What a safety number is made of, for one of the two people. */
export interface SafetySide {
  readonly user: UserId;
  /** SHA-256 of the record with which the identity began, hex: `DirectoryUser.identityStart`. */
  readonly identityStart: string;
}

/**
 * 60 digits that two people compare: 30 for each side, the smaller user id first, so that both see the same.
 * `origin` is the hash of the server's identity key. SHA-512 is iterated to make look-alikes dear.
 */
export async function safetyNumber(
  one: SafetySide,
  other: SafetySide,
  origin: Uint8Array,
): Promise<string> {
  const [first, second] = one.user < other.user ? [one, other] : [other, one];
  return (await digits(first, origin)) + (await digits(second, origin));
}

async function digits({ user, identityStart }: SafetySide, origin: Uint8Array): Promise<string> {
  const prefix = new TextEncoder().encode("sotto-safety-v1\0");
  const identity = new Uint8Array([
    ...prefix,
    ...fromHex(user),
    ...fromHex(identityStart),
    ...origin,
  ]);
  let hash: Uint8Array<ArrayBuffer> = identity;
  for (let i = 0; i < iterations; i++) {
    const input = new Uint8Array(hash.length + identity.length);
    input.set(hash);
    input.set(identity, hash.length);
    hash = new Uint8Array(await crypto.subtle.digest("SHA-512", input));
  }
  let text = "";
  for (let group = 0; group < 6; group++) {
    let value = 0;
    for (const byte of hash.subarray(group * 5, group * 5 + 5)) value = value * 256 + byte;
    text += String(value % 100_000).padStart(5, "0");
  }
  return text;
}
