import { ErrorCode, Retry, SottoError } from "@sotto/protocol";

/** What can go wrong on this side of the connection. */
export type SottoClientErrorCode =
  /** No connection to the server now. */
  | "NOT_REACHABLE"
  /** The server's key is not the one that the invite pinned, or its proof is wrong. */
  | "WRONG_SERVER"
  | "BAD_INVITE"
  /** A link of devices was not used in time, was used already, or the other side ended it. */
  | "LINK_ENDED"
  /** The profile folder holds a profile already. */
  | "PROFILE_EXISTS"
  /** The profile folder holds none: join first. */
  | "NO_PROFILE"
  /** The profile was begun, and it is not known that it came to be: do the same once more. */
  | "UNFINISHED"
  | "PROFILE_BROKEN"
  /** The profile needs its passphrase. */
  | "LOCKED"
  | "WRONG_PASSPHRASE"
  /** Too short or too long to be set. */
  | "BAD_PASSPHRASE"
  /** The profile has a passphrase already: change it, or remove it. */
  | "PASSPHRASE_EXISTS"
  /** The profile has none. */
  | "NO_PASSPHRASE"
  /** Words that are no recovery phrase. */
  | "BAD_PHRASE"
  /** A recovery phrase that is not, or no longer, one of that person or server. */
  | "UNKNOWN_PHRASE"
  | "UNKNOWN_USER"
  /** The safety number that was read out is not the one that this device has. */
  | "WRONG_NUMBER"
  | "UNKNOWN_DEVICE"
  | "UNKNOWN_ROOM"
  /** More than one room has that name, or an id that begins so: use more of the id. */
  | "AMBIGUOUS_ROOM"
  /** This person is in a room of that name already. */
  | "ROOM_EXISTS"
  /** Nobody takes themselves out of a room: another member has to. */
  | "OWN_REMOVAL"
  /** The room has not let this device in yet. */
  | "NOT_IN_ROOM"
  | "UNKNOWN_OBJECT"
  /** The ids of several objects begin so: use more of the id. */
  | "AMBIGUOUS_OBJECT"
  /** What came cannot be what the sender sealed. */
  | "ALTERED"
  /** A file to share changed or is not there. */
  | "FILE"
  | "TOO_LARGE"
  /** Another device of the person, or a recovery, took this device out for good. */
  | "REVOKED"
  /** The client was closed. A message that was in its outbox by then goes out when the profile is opened again. */
  | "CLOSED"
  /** The server's key directory is not one, or breaks its rules: nothing is sent any more. The proof is kept. */
  | "DIRECTORY_FORK"
  /** The server holds back records of its key directory: nothing is sent until it gives them. */
  | "DIRECTORY_WITHHELD"
  /** The server broke a rule that this client checks: it is not believed. */
  | "SERVER_MISBEHAVED"
  /** The server refused for good what a retry will not change. `cause` is the `SottoError`. */
  | "REFUSED";

/** An error of this client, with a code that a program can act on and a sentence for people. */
export class SottoClientError extends Error {
  override readonly name = "SottoClientError";
  /** What a program acts on; `message` is for people. */
  readonly code: SottoClientErrorCode;
  constructor(code: SottoClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The reason for which everything ends that still waits when a client is closed. */
export function closed(): SottoClientError {
  return new SottoClientError("CLOSED", "this client was closed");
}

/** True where the same call may go through after a reconnect. */
export function isConnectionLoss(error: unknown): boolean {
  return error instanceof SottoClientError && error.code === "NOT_REACHABLE";
}

/** True where the same call may go through a little later, by itself: a loss, or a part of the server that is away. */
export function mayPass(error: unknown): boolean {
  if (isConnectionLoss(error)) return true;
  if (!(error instanceof SottoError)) return false;
  return error.retry !== Retry.NEVER && error.code !== ErrorCode.STORAGE_FULL;
}

/** The server's error, where `error` is one. */
export function serverError(error: unknown): SottoError | undefined {
  return error instanceof SottoError ? error : undefined;
}

/** What is told of an error in a sentence. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
