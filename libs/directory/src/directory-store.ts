/**
 * The `DirectoryStore` port: what the keyserver keeps.
 *
 * Promise: records are kept byte for byte in one append-only order, and are durable once
 * `append` resolved; a one-time KeyPackage is handed out at most once, even across crashes
 * (it is gone before it is given). Every method is atomic. The store checks only what its
 * conditions name; signatures and chain rules are checked by the keyserver before.
 */

/** Lower-case hex. */
type Hex = string;

export interface StoredRecord {
  /** Place in the global order, from 0, dense. */
  readonly index: number;
  readonly bytes: Uint8Array;
}

export interface RecordAppend {
  readonly bytes: Uint8Array;
  readonly user: Hex;
  /** The record's number in its user's chain; must equal the chain's present length. */
  readonly chainSequence: number;
  /** Where the record creates a user: the folded name to claim. Names are unique for ever. */
  readonly claimName?: string;
  /** Where an invite pays for the record: SHA-256 of its token. One use is taken in the same step. */
  readonly redeemInvite?: Hex;
  /** Append only while no record exists. For the first owner. */
  readonly expectEmpty?: boolean;
  /** Wall time, ms, against which the invite's expiry is judged. */
  readonly now: number;
}

export type AppendOutcome =
  | { readonly ok: true; readonly index: number }
  | {
      readonly ok: false;
      readonly why:
        | "CHAIN_CONFLICT"
        | "NAME_TAKEN"
        | "INVITE_UNKNOWN"
        | "INVITE_EXPIRED"
        | "INVITE_USED"
        | "NOT_EMPTY";
    };

export interface StoredInvite {
  readonly tokenHash: Hex;
  readonly createdBy: Hex;
  readonly createdAt: number;
  /** Wall time, ms; 0 never expires. */
  readonly expiresAt: number;
  readonly usesLeft: number;
  /** Opaque to the store: what the invite grants. At most 4 KiB. */
  readonly grants: Uint8Array;
}

export interface StoredRoster {
  readonly room: Hex;
  /** Sequence of the last handshake record folded in. */
  readonly foldedTo: number;
  /** The fold, opaque to the store. At most 1 MiB. */
  readonly bytes: Uint8Array;
  /** Users in it, for `roomsOf`. */
  readonly users: readonly Hex[];
}

export interface StoredDisablement {
  readonly user: Hex;
  /** Wall time, ms. */
  readonly since: number;
}

/** A mailbox to be opened: a few messages that two devices leave for each other, for a short time. */
export interface MailboxOpening {
  readonly channel: Hex;
  /** The user whose device opens it. */
  readonly owner: Hex;
  /** Wall time, ms. */
  readonly now: number;
  /** Wall time, ms: from then on it is gone. */
  readonly expiresAt: number;
  /** Mailboxes of one owner that may stand at the same time. */
  readonly ownedMax: number;
  /** Mailboxes of all. */
  readonly allMax: number;
}

/** OPEN also where the same owner had opened it, whose end stays as it was; TAKEN by another owner; FULL by a bound. */
export type MailboxOpened = "OPEN" | "TAKEN" | "FULL";

/** UNKNOWN: there is no such mailbox, or not any more. CONFLICT: other bytes stand under that number. */
export type MailboxPut = "DONE" | "UNKNOWN" | "CONFLICT";

export class DirectoryStoreError extends Error {
  override readonly name = "DirectoryStoreError";
  /** FULL: no space, nothing was stored. CORRUPT: an operator must look. UNAVAILABLE: try later; whether it stands is unknown. */
  readonly code: "FULL" | "CORRUPT" | "UNAVAILABLE" | "TOO_OLD";
  constructor(code: DirectoryStoreError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface DirectoryStore extends AsyncDisposable {
  append(record: RecordAppend): Promise<AppendOutcome>;
  /** Records from `from` (inclusive), at most `limit` of them (1 to 1,000). */
  read(from: number, limit: number): Promise<readonly StoredRecord[]>;
  size(): Promise<number>;
  /** Resolves when every record that a read could have seen before the call is durable, whoever appended it. */
  settled(): Promise<void>;

  putInvite(invite: StoredInvite): Promise<void>;
  getInvite(tokenHash: Hex): Promise<StoredInvite | undefined>;
  listInvites(): Promise<readonly StoredInvite[]>;
  /** True where there was one. */
  deleteInvite(tokenHash: Hex): Promise<boolean>;

  /** Adds one-time packages of a device, oldest handed out first; at most 200 are kept, more are refused. Answers the count kept. */
  addKeyPackages(device: Hex, packages: readonly Uint8Array[]): Promise<number>;
  /** Replaces the package that is handed out when no one-time package is left. */
  putLastResort(device: Hex, keyPackage: Uint8Array): Promise<void>;
  countKeyPackages(device: Hex): Promise<number>;
  /** Durably removes and returns the oldest one-time package, else the last resort, else undefined. */
  claimKeyPackage(device: Hex): Promise<{ bytes: Uint8Array; lastResort: boolean } | undefined>;
  /** Forgets all packages of a device. */
  dropKeyPackages(device: Hex): Promise<void>;

  /** Stores a fold unless a newer one stands. Answers true where it was stored. */
  putRoster(roster: StoredRoster): Promise<boolean>;
  getRoster(room: Hex): Promise<StoredRoster | undefined>;
  deleteRoster(room: Hex): Promise<void>;
  roomsOf(user: Hex): Promise<readonly Hex[]>;

  /** Switches a user off since `since`, or on where it is undefined. Answers whether that changed anything. */
  setDisabled(user: Hex, since: number | undefined): Promise<boolean>;
  /** Every user that is switched off. */
  listDisabled(): Promise<readonly StoredDisablement[]>;

  openMailbox(opening: MailboxOpening): Promise<MailboxOpened>;
  /** Writes a message once. The same bytes again are DONE. Which numbers and sizes are allowed is the caller's to say. */
  putMail(channel: Hex, number: number, bytes: Uint8Array, now: number): Promise<MailboxPut>;
  /** `undefined`: no such mailbox. Empty while no message stands under that number. */
  getMail(channel: Hex, number: number, now: number): Promise<Uint8Array | undefined>;

  /** Small named values of the service itself (markers, format version). At most 64 KiB each. */
  putMeta(name: string, value: Uint8Array): Promise<void>;
  getMeta(name: string): Promise<Uint8Array | undefined>;
}
