import type {
  AppendOutcome,
  DirectoryStore,
  MailboxOpened,
  MailboxOpening,
  MailboxPut,
  RecordAppend,
  StoredDisablement,
  StoredInvite,
  StoredRecord,
  StoredRoster,
} from "./directory-store.ts";

/** Every call that crosses to the thread of the database: arguments, and what comes back. */
export interface SqliteCalls {
  append(record: RecordAppend): AppendOutcome;
  read(from: number, limit: number): readonly StoredRecord[];
  size(): number;
  settled(): void;
  putInvite(invite: StoredInvite): void;
  getInvite(tokenHash: string): StoredInvite | undefined;
  listInvites(): readonly StoredInvite[];
  deleteInvite(tokenHash: string): boolean;
  addKeyPackages(device: string, packages: readonly Uint8Array[]): number;
  putLastResort(device: string, keyPackage: Uint8Array): void;
  countKeyPackages(device: string): number;
  claimKeyPackage(device: string): { bytes: Uint8Array; lastResort: boolean } | undefined;
  dropKeyPackages(device: string): void;
  putRoster(roster: StoredRoster): boolean;
  getRoster(room: string): StoredRoster | undefined;
  deleteRoster(room: string): void;
  roomsOf(user: string): readonly string[];
  setDisabled(user: string, since: number | undefined): boolean;
  listDisabled(): readonly StoredDisablement[];
  openMailbox(opening: MailboxOpening): MailboxOpened;
  putMail(channel: string, number: number, bytes: Uint8Array, now: number): MailboxPut;
  getMail(channel: string, number: number, now: number): Uint8Array | undefined;
  putMeta(name: string, value: Uint8Array): void;
  getMeta(name: string): Uint8Array | undefined;
}

export type SqliteCallName = keyof SqliteCalls & keyof DirectoryStore;

/** A call on its way to the database's thread. */
export interface SqliteRequest {
  readonly id: number;
  readonly name: SqliteCallName;
  readonly args: readonly unknown[];
}

/** Its answer. `code` is that of `DirectoryStoreError`. */
export type SqliteReply =
  | { readonly id: number; readonly result: unknown }
  | {
      readonly id: number;
      readonly code: "FULL" | "CORRUPT" | "UNAVAILABLE" | "TOO_OLD";
      readonly message: string;
    };
