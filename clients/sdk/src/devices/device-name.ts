import { limits } from "@sotto/protocol";

/**
 * A device's name as records may carry it: one line without control characters, at most `nameBytesMax` bytes;
 * "device" where nothing of it is left.
 */
export function cleanDeviceName(name: string): string {
  const line = name
    .toWellFormed()
    .normalize("NFC")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ")
    .trim();
  let cut = "";
  for (const character of line) {
    if (new TextEncoder().encode(cut + character).length > limits.nameBytesMax) break;
    cut += character;
  }
  return cut.trim() || "device";
}
