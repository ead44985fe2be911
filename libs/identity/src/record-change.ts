import type { DeviceId, UserId } from "@sotto/protocol";

/** What a record changed about a person, so that people can be told. */
export interface RecordChange {
  readonly user: UserId;
  readonly change:
    | "user-created"
    | "device-added"
    | "device-revoked"
    | "recovery-set"
    | "identity-reset";
  /** The device or recovery key that was added or revoked. */
  readonly device: DeviceId;
  /** Devices and recovery keys that are not good any more by this record. */
  readonly revoked: readonly DeviceId[];
  readonly by: ChangedBy;
  /** The record's index in the directory. */
  readonly index: number;
}

/**
 * By whom a record was signed: a device of the user, a recovery key, or, for an identity that begins anew, the
 * owner's device that allowed it.
 */
export interface ChangedBy {
  readonly kind: "device" | "recovery" | "owner";
  readonly device: DeviceId;
}
