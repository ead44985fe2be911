import { limits } from "@sotto/protocol";

const hourMs = 3600 * 1000;

/** Sizes, times and bounds of the keyserver. */
export interface KeyserverLimits {
  readonly roomDevicesMax: number;
  /** Invites that one user makes in an hour; more answer RATE_LIMITED. */
  readonly invitesPerHour: number;
  /** Records that one user submits in an hour; more answer RATE_LIMITED. */
  readonly recordsPerHour: number;
  /** One-time KeyPackages of one device that one user claims in an hour; after that, its last resort. */
  readonly claimsPerHour: number;
  /** Pairs whose budgets are remembered; the one used longest ago is forgotten, and has its whole budget again. */
  readonly budgetPairsMax: number;
  /** Devices whose packages one request claims: their answer fits one message of the bus. */
  readonly claimedDevicesMax: number;
  /** Mailboxes for linking that one device has open at once: a stolen one uses up no other's. More answer RATE_LIMITED. */
  readonly linksPerDeviceMax: number;
  /** Those of all users: their messages lie in the store's memory. */
  readonly linksMax: number;
  /** Commits of one room that wait for their turn; more answer BUSY. */
  readonly waitingCommitsMax: number;
  /** Rosters kept in memory; the one used longest ago goes first, and is read from the store again. */
  readonly rostersCachedMax: number;
  /** Rosters looked up at the same time for one answer. */
  readonly rostersAtOnceMax: number;
  /** Roster changes remembered for edges that ask; one that is further behind loads its rooms anew. */
  readonly changesKeptMax: number;
  readonly grantBytesMax: number;
  /** Rooms that one grant names. */
  readonly grantRoomsMax: number;
  /** Bytes of grants in one answer, newest first; older ones wait until those are gone. */
  readonly grantAnswerBytesMax: number;
  /** Grants are read from the store again after this time: another replica may have taken one whose hint was lost. */
  readonly grantsFreshMs: number;
  /** Who is switched off is read from the store again after this time. */
  readonly disabledFreshMs: number;
  /** A newcomer may wait for a member long after the invite expired: its grant is kept for so long. */
  readonly grantKeptAfterExpiryMs: number;
  /** Records that are handed back and wait for the rest, ... */
  readonly handedBackRecordsMax: number;
  /** ... and their bytes; more answer TOO_LARGE. */
  readonly handedBackBytesMax: number;
  /** How long a certificate of an edge is vouched for. */
  readonly certificateValidMs: number;
  /** It begins so long ago, because clients' clocks may be behind. */
  readonly certificateBackdatedMs: number;
  /** So long after each other a few records of the store are read again, ... */
  readonly storeCheckMs: number;
  /** ... so many, round and round: what was altered behind the server's back is found. */
  readonly storeCheckRecords: number;
  /** How often it is looked whether the bus is there. */
  readonly busCheckMs: number;
}

export const keyserverLimits: KeyserverLimits = {
  roomDevicesMax: limits.roomDevicesMax,
  invitesPerHour: 200,
  recordsPerHour: 200,
  claimsPerHour: 20,
  budgetPairsMax: 20_000,
  claimedDevicesMax: 100,
  linksPerDeviceMax: 8,
  linksMax: 1000,
  waitingCommitsMax: 64,
  rostersCachedMax: 2000,
  rostersAtOnceMax: 16,
  changesKeptMax: 4096,
  grantBytesMax: 4096,
  grantRoomsMax: 64,
  grantAnswerBytesMax: 512 * 1024,
  grantsFreshMs: 2000,
  disabledFreshMs: 1000,
  grantKeptAfterExpiryMs: 30 * 24 * hourMs,
  handedBackRecordsMax: limits.handedBackRecordsMax,
  handedBackBytesMax: 64 * 1024 * 1024,
  certificateValidMs: 7 * 24 * hourMs,
  certificateBackdatedMs: 24 * hourMs,
  storeCheckMs: 500,
  storeCheckRecords: 32,
  busCheckMs: 1000,
};
