import { MlsError } from "./mls-error.ts";

/** Packs byte strings after a version: u8 version, then for each u32be length and bytes. */
export function pack(version: number, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 1));
  const view = new DataView(whole.buffer);
  whole[0] = version;
  let at = 1;
  for (const part of parts) {
    view.setUint32(at, part.length);
    whole.set(part, at + 4);
    at += 4 + part.length;
  }
  return whole;
}

/** The `count` byte strings of `pack`. Throws `MlsError` BROKEN_STATE. */
export function unpack(bytes: Uint8Array, version: number, count: number): Uint8Array[] {
  if (bytes[0] !== version) {
    const newer = (bytes[0] ?? 0) > version ? "was written by a newer version" : "cannot be read";
    throw new MlsError("BROKEN_STATE", `stored MLS state ${newer}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let at = 1;
  while (at + 4 <= bytes.length) {
    const length = view.getUint32(at);
    parts.push(new Uint8Array(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  if (at !== bytes.length || parts.length !== count)
    throw new MlsError("BROKEN_STATE", "stored MLS state is cut off");
  return parts;
}
