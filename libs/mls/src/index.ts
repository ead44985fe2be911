export type { CommitExpectation } from "./commit-rules.ts";
export type { CryptoEngine } from "./engine/crypto-engine.ts";
export { webEngine } from "./engine/web-engine.ts";
export {
  Group,
  type GroupToStore,
  type Member,
  type PendingCommit,
  type ProcessOutcome,
  type SealedMessage,
} from "./group.ts";
export type { JoinedGroup } from "./joined-group.ts";
export type { GeneratedKeyPackage, KeyPackageInput, ReadKeyPackage } from "./key-packages.ts";
export type { Judge, LeafIdentity, SignatureKey } from "./leaf-identity.ts";
export { createMls, Mls, type MlsOptions } from "./mls.ts";
export { MlsError, type MlsErrorCode } from "./mls-error.ts";
export type { OpenedMessage } from "./open-message.ts";
export { openSealed, sealOverheadBytes, sealTo } from "./sealed-secret.ts";
export { generateSealingKey, type SealingKeyPair, sealingKeyOf } from "./sealing-key.ts";
export type { SuiteName } from "./suite.ts";
