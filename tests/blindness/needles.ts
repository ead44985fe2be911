import { randomBytes } from "node:crypto";
import { gunzipSync, inflateSync } from "node:zlib";

/** A random text that stands nowhere by chance, and every form in which it could be found. */
export interface Canary {
  readonly what: string;
  readonly text: string;
  readonly forms: readonly Buffer[];
}

/** A canary for `what`; `text` where it must be a certain one. */
export function canary(
  what: string,
  text: string = `cn${randomBytes(16).toString("hex")}`,
): Canary {
  return { what, text, forms: formsOf(Buffer.from(text, "utf8")) };
}

/** A canary of raw bytes. */
export function byteCanary(what: string, bytes: Buffer): Canary {
  return { what, text: bytes.toString("hex"), forms: formsOf(bytes) };
}

/** Raw, hex in both cases, UTF-16 in both orders, and base64 in both alphabets at all three offsets. */
function formsOf(raw: Buffer): Buffer[] {
  const hex = raw.toString("hex");
  const wide = Buffer.from(raw.toString("latin1"), "utf16le");
  const forms = [
    raw,
    Buffer.from(hex),
    Buffer.from(hex.toUpperCase()),
    wide,
    Buffer.from(wide).swap16(),
  ];
  for (const offset of [0, 1, 2]) {
    // Characters that also depend on neighbours are cut off on both sides.
    const padded = Buffer.concat([Buffer.alloc(offset), raw]);
    const whole = padded.subarray(0, padded.length - (padded.length % 3));
    for (const encoding of ["base64", "base64url"] as const) {
      const encoded = whole.toString(encoding).slice(offset === 0 ? 0 : 4);
      forms.push(Buffer.from(encoded));
    }
  }
  // Both base64 alphabets often give the same: what is looked for twice costs twice.
  return [...new Map(forms.map((form) => [form.toString("latin1"), form])).values()];
}

/** Those of which any form stands in the bytes, or in what they hold compressed. */
export function heldBy(haystack: Buffer, canaries: readonly Canary[]): Canary[] {
  const all = [haystack, ...unpacked(haystack)];
  return canaries.filter((canary) => all.some((bytes) => standsIn(bytes, canary)));
}

/** True where any form of the canary stands in the bytes as they are. */
export function standsIn(bytes: Buffer, { forms }: Canary): boolean {
  return forms.some((form) => bytes.includes(form));
}

const unpackedBytesMax = 64 * 1024 * 1024;

/** What deflate or gzip streams in the bytes open to. */
function unpacked(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  const options = { maxOutputLength: unpackedBytesMax };
  for (let at = 0; at < bytes.length - 2; at++) {
    const [first, second] = [bytes[at], bytes[at + 1]];
    const gzip = first === 0x1f && second === 0x8b && bytes[at + 2] === 8;
    const zlib = first === 0x78 && (second === 0x01 || second === 0x9c || second === 0xda);
    if (!gzip && !zlib) continue;
    try {
      found.push(
        gzip ? gunzipSync(bytes.subarray(at), options) : inflateSync(bytes.subarray(at), options),
      );
    } catch {
      // Two bytes that looked like a beginning.
    }
  }
  return found;
}
