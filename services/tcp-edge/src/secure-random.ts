import { randomBytes } from "node:crypto";

/** The system's secure random bytes. */
export function secureRandom(length: number): Uint8Array {
  return randomBytes(length);
}
