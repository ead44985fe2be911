import type { Hkdf } from "./hkdf.ts";

const version = new TextEncoder().encode("HPKE-v1");

/** LabeledExtract and LabeledExpand of RFC 9180 section 4, for one suite id. */
export interface Labelled {
  extract(salt: Uint8Array, label: string, keyingMaterial: Uint8Array): Promise<Uint8Array>;
  expand(key: Uint8Array, label: string, info: Uint8Array, length: number): Promise<Uint8Array>;
}

export function labelled(kdf: Hkdf, suite: Uint8Array): Labelled {
  const encoder = new TextEncoder();
  return {
    extract: async (salt, label, keyingMaterial) =>
      await kdf.extract(salt, concat(version, suite, encoder.encode(label), keyingMaterial)),
    expand: async (key, label, info, length) => {
      const lengthBytes = Uint8Array.of(length >> 8, length & 0xff);
      const whole = concat(lengthBytes, version, suite, encoder.encode(label), info);
      return await kdf.expand(key, whole, length);
    },
  };
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
