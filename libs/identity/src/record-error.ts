/**
 * Why a record cannot be accepted.
 * MALFORMED: not a record of this format. SIGNATURE: not signed by who must sign it.
 * CHAIN: it does not follow its user's record before. NAME_TAKEN, REVOKED: as named.
 * TOO_MANY: the user has as many devices or recovery keys as there may be.
 */
export type RecordErrorCode =
  | "MALFORMED"
  | "SIGNATURE"
  | "CHAIN"
  | "NAME_TAKEN"
  | "REVOKED"
  | "TOO_MANY";

export class RecordError extends Error {
  override readonly name = "RecordError";
  readonly code: RecordErrorCode;
  constructor(code: RecordErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
