import { DirectoryStoreError } from "@sotto/directory";
import { RecordError } from "@sotto/identity";
import { LogError } from "@sotto/log";
import { ErrorCode, SottoError } from "@sotto/protocol";

const codeOfRecord: Readonly<Record<RecordError["code"], ErrorCode>> = {
  MALFORMED: ErrorCode.BAD_RECORD,
  SIGNATURE: ErrorCode.BAD_SIGNATURE,
  CHAIN: ErrorCode.CHAIN_CONFLICT,
  NAME_TAKEN: ErrorCode.NAME_TAKEN,
  REVOKED: ErrorCode.DEVICE_REVOKED,
  TOO_MANY: ErrorCode.TOO_MANY_DEVICES,
};

/** What a client is told of a record that breaks the rules; what is no `RecordError` stays as it is. */
export function recordRefusal(error: unknown): unknown {
  if (!(error instanceof RecordError)) return error;
  // A name has a code of its own: a person can mend it.
  const { cause } = error;
  if (cause instanceof SottoError && cause.code === ErrorCode.NAME_INVALID) return cause;
  return new SottoError(codeOfRecord[error.code], error.message, { cause: error });
}

/**
 * The one funnel from what log and store reject with to what a caller is told. A `RecordError` that reaches it
 * comes from the store's own records: like all else that is no refusal it stays as it is, and is a failure.
 */
export function refusalOf(error: unknown): unknown {
  if (error instanceof LogError) return logRefusal(error);
  if (!(error instanceof DirectoryStoreError)) return error;
  if (error.code === "FULL") return storageFull(error);
  if (error.code !== "UNAVAILABLE") return error;
  return new SottoError(ErrorCode.UNAVAILABLE, "the directory cannot be reached now", {
    cause: error,
  });
}

function logRefusal(error: LogError): unknown {
  switch (error.code) {
    case "STALE":
      return new SottoError(ErrorCode.STALE, "another handshake record came first", {
        ...(error.handshake === undefined ? {} : { handshake: error.handshake }),
        cause: error,
      });
    case "FULL":
      return storageFull(error);
    case "TOO_LARGE":
      return new SottoError(ErrorCode.TOO_LARGE, "the handshake record is too large", {
        cause: error,
      });
    case "UNAVAILABLE":
    case "LOG_RESET":
      return new SottoError(ErrorCode.UNAVAILABLE, "the log cannot be reached now", {
        cause: error,
      });
    case "CORRUPT":
      return error;
  }
}

function storageFull(cause: Error): SottoError {
  return new SottoError(ErrorCode.STORAGE_FULL, "the server's disk is full; nothing was stored", {
    cause,
  });
}
