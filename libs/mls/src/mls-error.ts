/**
 * What went wrong with MLS.
 * BAD_MESSAGE: bytes that are no such message. BAD_COMMIT: a commit that breaks the rules; the state stays
 * as it was. WRONG_EPOCH, FUTURE_EPOCH: for an epoch that is over, or not there yet. REPLAYED: opened before.
 * NOT_A_MEMBER: for somebody else, or from nobody of the group. REMOVED: this device is out. TOO_LARGE: as
 * named. UNTRUSTED: a leaf that the directory does not certify. BROKEN_STATE: stored bytes that are no state.
 */
export type MlsErrorCode =
  | "BAD_MESSAGE"
  | "BAD_COMMIT"
  | "WRONG_EPOCH"
  | "FUTURE_EPOCH"
  | "REPLAYED"
  | "NOT_A_MEMBER"
  | "REMOVED"
  | "TOO_LARGE"
  | "UNTRUSTED"
  | "BROKEN_STATE";

export class MlsError extends Error {
  override readonly name = "MlsError";
  readonly code: MlsErrorCode;
  constructor(code: MlsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Runs `task`; whatever the library throws becomes an `MlsError` with `code`. */
export async function guarded<Result>(
  code: MlsErrorCode,
  task: () => Promise<Result> | Result,
): Promise<Result> {
  try {
    return await task();
  } catch (cause) {
    if (cause instanceof MlsError) throw cause;
    throw new MlsError(code, cause instanceof Error ? cause.message : "the MLS library refused", {
      cause,
    });
  }
}
