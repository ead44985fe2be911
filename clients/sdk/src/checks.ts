/**
 * Checks of what reaches a client that a test can switch off: from the server, from the network, from other
 * members. Every name is one rule; the few places that hold a client to it read it from `checks`. A program never
 * switches one off: a test does, to show that the attack that the check refuses would have succeeded.
 */
export interface Checks {
  /** The server's identity key is the pinned one and vouches for the certificate. */
  readonly serverPin: boolean;
  /** Every identity record follows the rules: chain, signatures, names. */
  readonly directoryRules: boolean;
  /** The directory goes on from what this device has seen of it. */
  readonly directoryOverlap: boolean;
  /** Records that something names are there, or nothing goes on. */
  readonly withheldRecords: boolean;
  /** The server's signed checkpoint is that of the records. */
  readonly checkpoint: boolean;
  /** The directory is the one that whoever let this device in was shown. */
  readonly owedHead: boolean;
  /** Heads inside messages are those of one directory. */
  readonly headGossip: boolean;
  /** Old records, read again at random, are what they were. */
  readonly oldRecords: boolean;
  /** A leaf's key is certified for its device by the directory. */
  readonly leafJudged: boolean;
  /** A KeyPackage is for the device that it was asked for, certified, and in its time. */
  readonly keyPackage: boolean;
  /** A handshake record is signed by its committer. */
  readonly envelopeSignature: boolean;
  /** A handshake record follows the room's rules: place, kind, who may. */
  readonly envelopeRules: boolean;
  /** Records that a handshake record names before it count only where they are shown. */
  readonly recordsBefore: boolean;
  /** A commit does what its envelope says. */
  readonly commitRules: boolean;
  /** A large part is the one that its hash names. */
  readonly partHash: boolean;
  /** A message is for the room, the id and the device under which it stands. */
  readonly contentPlace: boolean;
  /** A message is of the epoch that is current at its place: nobody who was removed speaks on. */
  readonly epochPlace: boolean;
  /** A message of one device and id is taken once. */
  readonly messageOnce: boolean;
  /** A sender's messages follow one another without a gap. */
  readonly senderChain: boolean;
  /** A message is said again only to those to whom the room's policy gives it. */
  readonly sayAgain: boolean;
  /** What a device comes back by is of a member, and not older than what it has seen. */
  readonly groupInfo: boolean;
  /** A device comes only into rooms as its user's devices or their inviter know them, and into its own direct conversations. */
  readonly roomAnchor: boolean;
  /** Nobody is let in again of whom this device cannot know that they were never removed. */
  readonly formerMembers: boolean;
  /** Nothing is sealed into a group that holds a revoked device. */
  readonly revokedLeaf: boolean;
  /** Archive records are of a device that may write them. */
  readonly archive: boolean;
}

/** What every program runs with. */
export const allChecks: Checks = {
  serverPin: true,
  directoryRules: true,
  directoryOverlap: true,
  withheldRecords: true,
  checkpoint: true,
  owedHead: true,
  headGossip: true,
  oldRecords: true,
  leafJudged: true,
  keyPackage: true,
  envelopeSignature: true,
  envelopeRules: true,
  recordsBefore: true,
  commitRules: true,
  partHash: true,
  contentPlace: true,
  epochPlace: true,
  messageOnce: true,
  senderChain: true,
  sayAgain: true,
  groupInfo: true,
  roomAnchor: true,
  formerMembers: true,
  revokedLeaf: true,
  archive: true,
};
