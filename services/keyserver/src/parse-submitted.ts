import { type ParsedRecord, parseRecord, RecordError } from "@sotto/identity";
import { ErrorCode, SottoError } from "@sotto/protocol";

/** A record that a client sent. Throws `SottoError` BAD_RECORD. */
export function parseSubmitted(bytes: Uint8Array): ParsedRecord {
  try {
    return parseRecord(bytes);
  } catch (error) {
    if (error instanceof RecordError) throw new SottoError(ErrorCode.BAD_RECORD, error.message);
    throw error;
  }
}
