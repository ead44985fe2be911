import type { DeviceId, UserId, UserName } from "@sotto/protocol";

/** Public keys of a device, one for each purpose. */
export interface DeviceKeys {
  /** Ed25519, login only. */
  readonly auth: Uint8Array;
  /** Ed25519, records, envelopes and grants. */
  readonly sign: Uint8Array;
  /** Ed25519, MLS leaf only. */
  readonly mls: Uint8Array;
  /** X-Wing, what other devices seal for this one (1,216 bytes). */
  readonly seal: Uint8Array;
}

export interface DeviceDescription extends DeviceKeys {
  readonly id: DeviceId;
  readonly name: string;
}

/** What ties an account to the invite that it came with. */
export interface Arrival {
  /** The invite's Ed25519 public key. */
  readonly key: Uint8Array;
  /** The invite key's signature over `arrivalInput`. */
  readonly proof: Uint8Array;
}

interface RecordBase {
  readonly user: UserId;
  /** Place in the user's chain, from 0. */
  readonly seq: number;
  /** SHA-256 of the user's record before, hex; empty for the first. */
  readonly prev: string;
  /** When it was made by its maker's clock, ms. */
  readonly iat: number;
}

export interface UserCreate extends RecordBase {
  readonly typ: "user-create";
  readonly name: UserName;
  readonly device: DeviceDescription;
  readonly invite: Arrival;
}

export interface DeviceAdd extends RecordBase {
  readonly typ: "device-add";
  readonly device: DeviceDescription;
  /** The new device's signature over `deviceCounterInput`: it accepts to belong to this user. */
  readonly counter: Uint8Array;
  /** The user's device that goes in the same step; only where a recovery key signs. */
  readonly replaces?: DeviceId;
}

export interface DeviceRevoke extends RecordBase {
  readonly typ: "device-revoke";
  readonly device: DeviceId;
}

/** A key that lies on paper joins the chain: it logs in and signs records, and is in no room. */
export interface RecoverySet extends RecordBase {
  readonly typ: "recovery-set";
  readonly device: DeviceDescription;
  /** The recovery key's signature over `deviceCounterInput`. */
  readonly counter: Uint8Array;
}

/** The owner's word that a user's identity may begin anew. */
export interface ResetAllowance {
  /** The owner's device that signed. */
  readonly device: DeviceId;
  /** Wall time until which it is good, ms; 0 always. */
  readonly expires: number;
  /** Over `resetInput`. */
  readonly signature: Uint8Array;
}

/** Devices and recovery keys are lost: the identity begins anew with this first device. */
export interface IdentityReset extends RecordBase {
  readonly typ: "identity-reset";
  readonly device: DeviceDescription;
  readonly invite: Arrival;
  readonly allowed: ResetAllowance;
}

export type IdentityRecord = UserCreate | DeviceAdd | DeviceRevoke | RecoverySet | IdentityReset;

/** A record as it came: what it says, who claims to have signed it, and its exact bytes. */
export interface ParsedRecord {
  readonly record: IdentityRecord;
  /** Device whose signing key must have signed. Not verified yet. */
  readonly signer: DeviceId;
  /** The compact JWS, ASCII, as kept and hashed. */
  readonly bytes: Uint8Array;
}
