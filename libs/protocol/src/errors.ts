import { create } from "@bufbuild/protobuf";
import {
  ErrorCode,
  type Error as ErrorMessage,
  ErrorSchema,
  Retry,
} from "./gen/sotto/v1/client_pb.js";

/** What a client may do after each error. Closed: a test checks that every code is here. */
const retries: Readonly<Record<ErrorCode, Retry>> = {
  [ErrorCode.UNSPECIFIED]: Retry.LATER,
  [ErrorCode.BAD_REQUEST]: Retry.NEVER,
  [ErrorCode.UNKNOWN_REQUEST]: Retry.NEVER,
  [ErrorCode.TOO_LARGE]: Retry.NEVER,
  [ErrorCode.UNSUPPORTED_VERSION]: Retry.NEVER,
  [ErrorCode.NOT_AUTHENTICATED]: Retry.NEVER,
  [ErrorCode.ALREADY_AUTHENTICATED]: Retry.NEVER,
  [ErrorCode.BAD_SIGNATURE]: Retry.NEVER,
  [ErrorCode.UNKNOWN_DEVICE]: Retry.NEVER,
  [ErrorCode.DEVICE_REVOKED]: Retry.NEVER,
  [ErrorCode.FORBIDDEN]: Retry.NEVER,
  [ErrorCode.NOT_A_MEMBER]: Retry.NEVER,
  [ErrorCode.ACCOUNT_DISABLED]: Retry.NEVER,
  [ErrorCode.INVITE_UNKNOWN]: Retry.NEVER,
  [ErrorCode.INVITE_EXPIRED]: Retry.NEVER,
  [ErrorCode.INVITE_USED]: Retry.NEVER,
  [ErrorCode.NAME_TAKEN]: Retry.NEVER,
  [ErrorCode.NAME_INVALID]: Retry.NEVER,
  [ErrorCode.BAD_RECORD]: Retry.NEVER,
  [ErrorCode.CHAIN_CONFLICT]: Retry.NOW,
  [ErrorCode.UNKNOWN_USER]: Retry.NEVER,
  [ErrorCode.LINK_UNKNOWN]: Retry.NEVER,
  [ErrorCode.TOO_MANY_DEVICES]: Retry.NEVER,
  [ErrorCode.UNKNOWN_ROOM]: Retry.NEVER,
  [ErrorCode.STALE]: Retry.NOW,
  [ErrorCode.LOG_RESET]: Retry.NOW,
  [ErrorCode.BAD_ENVELOPE]: Retry.NEVER,
  [ErrorCode.ROOM_FULL]: Retry.NEVER,
  [ErrorCode.ROOM_EXISTS]: Retry.NEVER,
  [ErrorCode.UNKNOWN_OBJECT]: Retry.NEVER,
  [ErrorCode.OBJECT_EXISTS]: Retry.NEVER,
  [ErrorCode.OUT_OF_ORDER]: Retry.NOW,
  [ErrorCode.BAD_RANGE]: Retry.NEVER,
  [ErrorCode.OBJECT_INCOMPLETE]: Retry.LATER,
  [ErrorCode.UNAVAILABLE]: Retry.LATER,
  [ErrorCode.RATE_LIMITED]: Retry.LATER,
  [ErrorCode.BUSY]: Retry.LATER,
  [ErrorCode.STORAGE_FULL]: Retry.LATER,
  [ErrorCode.INTERNAL]: Retry.LATER,
  [ErrorCode.READ_ONLY]: Retry.LATER,
};

/** What a client may do after an error. A code of a newer server is tried again later. */
export function retryOf(code: ErrorCode): Retry {
  return retries[code] ?? Retry.LATER;
}

/** `STALE` for 401, and so on; `ERROR_<n>` for a code that this version does not know. */
export function errorName(code: ErrorCode): string {
  return ErrorCode[code] ?? `ERROR_${code}`;
}

/** What an error says beside its code and sentence. */
export interface SottoErrorDetails {
  /** STALE: the room's last handshake sequence. */
  readonly handshake?: number;
  readonly retryAfterMs?: number;
  /** For a code that this version does not know: what its sender says of it. */
  readonly retry?: Retry;
  readonly cause?: unknown;
}

/** A refusal that travels to the client: a code to act on, a sentence for people. */
export class SottoError extends Error {
  override readonly name: string = "SottoError";
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly handshake: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, details: SottoErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retry = retries[code] ?? details.retry ?? Retry.LATER;
    this.handshake = details.handshake;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** The single funnel: what is not a `SottoError` becomes INTERNAL, and its text stays here. */
  static from(error: unknown): SottoError {
    if (error instanceof SottoError) return error;
    return new SottoError(ErrorCode.INTERNAL, "the server failed; its log says more", {
      cause: error,
    });
  }
}

/** A body that is not the message that its frame's type promises: BAD_REQUEST. */
export class ProtocolError extends SottoError {
  override readonly name: string = "ProtocolError";

  constructor(message: string, cause?: unknown) {
    super(ErrorCode.BAD_REQUEST, message, { cause });
  }
}

/** The error as a message. */
export function toErrorMessage(error: SottoError): ErrorMessage {
  return create(ErrorSchema, {
    code: error.code,
    retry: error.retry,
    message: error.message,
    handshake: BigInt(error.handshake ?? 0),
    retryAfterMs: error.retryAfterMs ?? 0,
  });
}

/**
 * The error in a message. What a known code asks for stands in the table here; for one that this
 * version does not know, the message's own `retry` counts.
 */
export function fromErrorMessage(message: ErrorMessage): SottoError {
  const { code, retry, handshake, retryAfterMs } = message;
  return new SottoError(code, message.message || errorName(code), {
    ...(handshake > 0n ? { handshake: Number(handshake) } : {}),
    ...(retryAfterMs > 0 ? { retryAfterMs } : {}),
    ...(retry === Retry.UNSPECIFIED ? {} : { retry }),
  });
}
