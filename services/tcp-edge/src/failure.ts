import { BusError } from "@sotto/bus";
import { LogError } from "@sotto/log";
import { MediaLinkError } from "@sotto/media-link";
import { ErrorCode, SottoError } from "@sotto/protocol";

const codeOfBus = {
  NO_RESPONDERS: ErrorCode.UNAVAILABLE,
  TIMEOUT: ErrorCode.UNAVAILABLE,
  BUSY: ErrorCode.BUSY,
  TOO_LARGE: ErrorCode.TOO_LARGE,
  HANDLER_FAILED: ErrorCode.INTERNAL,
  UNAVAILABLE: ErrorCode.UNAVAILABLE,
} as const;

const codeOfLog = {
  STALE: ErrorCode.STALE,
  LOG_RESET: ErrorCode.LOG_RESET,
  TOO_LARGE: ErrorCode.TOO_LARGE,
  FULL: ErrorCode.STORAGE_FULL,
  UNAVAILABLE: ErrorCode.UNAVAILABLE,
  CORRUPT: ErrorCode.INTERNAL,
} as const;

const codeOfMedia = {
  NOT_FOUND: ErrorCode.UNKNOWN_OBJECT,
  BAD_RANGE: ErrorCode.BAD_RANGE,
  INCOMPLETE: ErrorCode.OBJECT_INCOMPLETE,
  OUT_OF_ORDER: ErrorCode.OUT_OF_ORDER,
  CONFLICT: ErrorCode.OBJECT_EXISTS,
  TOO_LARGE: ErrorCode.TOO_LARGE,
  FULL: ErrorCode.STORAGE_FULL,
  BUSY: ErrorCode.BUSY,
  UNAVAILABLE: ErrorCode.UNAVAILABLE,
} as const;

/**
 * The one funnel from whatever went wrong behind the edge to what a client is told. Unknown errors
 * are INTERNAL; their text stays on this side.
 */
export function failureOf(error: unknown): SottoError {
  if (error instanceof SottoError) return error;
  if (error instanceof LogError) {
    const options = error.handshake === undefined ? {} : { handshake: error.handshake };
    return new SottoError(codeOfLog[error.code], "the room's log refused", {
      ...options,
      cause: error,
    });
  }
  if (error instanceof BusError) {
    return new SottoError(codeOfBus[error.code], "a service did not answer", { cause: error });
  }
  if (error instanceof MediaLinkError) {
    return new SottoError(codeOfMedia[error.code], "the media service refused", { cause: error });
  }
  return new SottoError(ErrorCode.INTERNAL, "something failed on the server", { cause: error });
}
