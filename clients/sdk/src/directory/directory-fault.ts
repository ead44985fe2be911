import type { DeviceId, RoomId, UserId } from "@sotto/protocol";
import { SottoClientError } from "../errors.ts";

/** A head as it is kept and shown: hex. */
export interface HeadWords {
  readonly size: number;
  readonly root: string;
  /** By the log key; empty where there is none. */
  readonly signature: string;
}

/** In whose message a head stood. */
export interface HeadBearer {
  readonly user: UserId;
  readonly device: DeviceId;
  readonly room: RoomId;
}

/**
 * What shows that the server's key directory is not one and the same for everybody, or does not follow its rules. Kept
 * in the profile for ever: it is the proof.
 */
export interface DirectoryFault {
  readonly kind: /** Another key signs than the one that was pinned, or none that the server vouches for. */
    | "log-key"
    /** What should be a signed checkpoint is none. */
    | "checkpoint"
    /** Two directories of one size. */
    | "fork"
    /** A record that breaks the rules. */
    | "bad-record"
    /** A record that is not what it was. */
    | "altered-record";
  /** What happened, one sentence. */
  readonly what: string;
  /** By this device's clock, ms. */
  readonly at: number;
  /** The newest head that the server signed and that this device has all records of. */
  readonly ours?: HeadWords;
  /** The root that follows from this device's own records at the size of `shown`. */
  readonly expected?: string;
  /** What it was shown. */
  readonly shown?: HeadWords;
  /** Who was shown it, where it came in a message. */
  readonly by?: HeadBearer;
  /** Index of a record. */
  readonly index?: number;
  /** The bytes that are no proof by themselves: a note or a record, hex. */
  readonly bytes?: string;
}

/** Records that the server has signed for and does not give. */
export interface WithheldRecords {
  readonly head: HeadWords;
  readonly by?: HeadBearer;
  /** Whoever knows them, where the head is not signed; absent: another device of the same person. */
  readonly knownBy?: "inviter";
  readonly at: number;
}

/** What every send and commit answers from then on. */
export function forkError({ what }: DirectoryFault): SottoClientError {
  return new SottoClientError(
    "DIRECTORY_FORK",
    `the server's key directory cannot be trusted any more: ${what}. This device sends nothing, so that ` +
      "nobody can slip a false key in. What is here stays readable, and the proof is kept in this profile. " +
      "Tell the others by another way, and whoever runs the server; 'sotto audit' checks everything again",
  );
}

/** What every send and commit answers until the records are there. */
export function withheldError(withheld: WithheldRecords, size: number): SottoClientError {
  const { head, knownBy } = withheld;
  const other = knownBy === "inviter" ? "whoever invited you has" : "your other device has";
  return new SottoClientError(
    "DIRECTORY_WITHHELD",
    `the server holds back records of its key directory: ${head.signature ? "it has signed for" : other} ${head.size} and gives ${size}. ` +
      "A device may have been revoked in one of them, so this device sends nothing until it has them. " +
      "A message that is refused for this is not kept to be sent later, unless it was on its way before: " +
      "send it again then",
  );
}
