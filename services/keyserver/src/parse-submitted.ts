import { type ParsedRecord, parseRecord } from "@sotto/identity";
import { recordRefusal } from "./refusal.ts";

/** A record that a client sent. Throws `SottoError` BAD_RECORD, NAME_INVALID. */
export function parseSubmitted(bytes: Uint8Array): ParsedRecord {
  try {
    return parseRecord(bytes);
  } catch (error) {
    throw recordRefusal(error);
  }
}
