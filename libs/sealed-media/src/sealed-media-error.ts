/**
 * What came cannot be opened.
 * ALTERED: a block is not what was sealed. TRUNCATED: it ends before it should. WRONG_KEY: the key
 * commitment does not match. BAD_LENGTH: no sealed object has that length. BAD_RANGE: as named.
 */
export type SealedMediaErrorCode =
  | "ALTERED"
  | "TRUNCATED"
  | "WRONG_KEY"
  | "BAD_LENGTH"
  | "BAD_RANGE";

export class SealedMediaError extends Error {
  override readonly name = "SealedMediaError";
  readonly code: SealedMediaErrorCode;
  constructor(code: SealedMediaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
