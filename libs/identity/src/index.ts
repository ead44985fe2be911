export { acceptDevice } from "./accept-device.ts";
export { fromBase64Url, toBase64Url } from "./base64url.ts";
export {
  type Circumstances,
  checkEnvelope,
  checkEnvelopeForm,
  removableBy,
} from "./check-envelope.ts";
export {
  type Checkpoint,
  checkpointNote,
  checkpointOrigin,
  checkpointText,
  noteKeyId,
  openCheckpoint,
  signCheckpoint,
  signLogKey,
  verifyCheckpoint,
  verifyLogKey,
} from "./checkpoint.ts";
export { sha256, sha256Hex } from "./digest.ts";
export { directRoomId } from "./direct-room.ts";
export {
  type CheckedRecord,
  Directory,
  type DirectoryDevice,
  type DirectoryHead,
  type DirectoryUser,
  standingDevices,
} from "./directory.ts";
export {
  type Disablement,
  openDisablement,
  provenDisabled,
  signDisablement,
} from "./disablement.ts";
export {
  type Ed25519KeyPair,
  generateEd25519,
  type Signer,
  signerFromSeed,
  verifyEd25519,
} from "./ed25519.ts";
export {
  committerOf,
  decodeEnvelope,
  type LeafName,
  openEnvelope,
  signEnvelope,
} from "./envelope.ts";
export {
  arrivalProof,
  arrivedWith,
  createGrant,
  decodeGrant,
  type Newcomer,
  openGrant,
  type RoomGrant,
  verifyArrival,
  verifyGrant,
} from "./grant.ts";
export {
  type Invite,
  type InviteReset,
  type InviteRoster,
  makeInvite,
  parseInvite,
} from "./invite.ts";
export { type InviteKeys, inviteKeys } from "./invite-keys.ts";
export { type LinkCode, makeLinkCode, parseLinkCode } from "./link-code.ts";
export { leafHash, type MerkleGrowth, type MerkleLevels, MerkleTree, nodeHash } from "./merkle.ts";
export {
  type ConsistencyClaim,
  type InclusionClaim,
  verifyConsistency,
  verifyInclusion,
} from "./merkle-proof.ts";
export { parseRecord } from "./parse-record.ts";
export type {
  Arrival,
  DeviceAdd,
  DeviceDescription,
  DeviceKeys,
  DeviceRevoke,
  IdentityRecord,
  IdentityReset,
  ParsedRecord,
  RecoverySet,
  ResetAllowance,
  UserCreate,
} from "./record.ts";
export type { ChangedBy, RecordChange } from "./record-change.ts";
export { RecordError, type RecordErrorCode } from "./record-error.ts";
export { openReset, type Reset, type ResetJudge, signReset } from "./reset.ts";
export {
  foldRoster,
  hasUser,
  isHiddenFrom,
  leaves,
  passOver,
  type Roster,
  type RosterDevice,
  rosterFromMessage,
  rosterToMessage,
  usersOf,
} from "./roster.ts";
export { type SafetySide, safetyNumber } from "./safety-number.ts";
export { InviteError, parseAuthority } from "./tagged-fields.ts";
export {
  addDeviceRecord,
  type ChainPlace,
  createUserRecord,
  type IdentityResetInput,
  identityResetRecord,
  recoverySetRecord,
  revokeDeviceRecord,
  type UserCreateInput,
} from "./write-record.ts";
