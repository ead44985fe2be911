import type { DeviceId, MessageId, ObjectId, RoomId, UserId } from "@sotto/protocol";
import type { HistoryWord } from "../rooms/policy.ts";

/** What every entry says of its place. */
interface EntryBase {
  readonly room: RoomId;
  /** Its place in the room's order: grows, with gaps. */
  readonly sequence: number;
  /** Who told it: this device was not there, and none of its user's was. */
  readonly toldBy?: UserId;
}

/** A text that somebody said. */
export interface MessageEntry extends EntryBase {
  readonly type: "message";
  readonly id: MessageId;
  readonly sender: UserId;
  readonly device: DeviceId;
  readonly text: string;
  /** The sender's clock, ms. Order is by sequence. */
  readonly at: number;
}

/** A file or video that somebody shared; `client.media.open(object, { room })` reads it. */
export interface MediaEntry extends EntryBase {
  readonly type: "media";
  readonly id: MessageId;
  readonly sender: UserId;
  readonly device: DeviceId;
  readonly object: ObjectId;
  readonly name: string;
  /** Plaintext bytes. */
  readonly bytes: number;
  /** As the sender says: a hint, nothing more. */
  readonly mime: string;
  readonly durationMs?: number;
  /** The sender's clock, ms. Order is by sequence. */
  readonly at: number;
}

/** A file or video is gone: whoever shared it deleted it. */
export interface MediaDeletedEntry extends EntryBase {
  readonly type: "media-deleted";
  /** Absent in entries of older clients, as `device`. */
  readonly id?: MessageId;
  readonly sender: UserId;
  readonly device?: DeviceId;
  readonly object: ObjectId;
  readonly at: number;
}

/** What the room is called from here on. */
export interface TitleEntry extends EntryBase {
  readonly type: "title";
  /** Absent in entries of older clients, as `device`. */
  readonly id?: MessageId;
  readonly sender: UserId;
  readonly device?: DeviceId;
  readonly title: string;
  readonly at: number;
}

/** Who came or went, and who did that. */
export interface MembershipEntry extends EntryBase {
  readonly type: "membership";
  readonly change: "created" | "added" | "removed" | "rejoined";
  readonly users: readonly UserId[];
  readonly by: UserId;
  /** Those of `users` who were in the room before and are after it: devices of theirs came or went, where that is known. */
  readonly devicesOf?: readonly UserId[];
  /** Those of `users` who were removed because the server's operator disabled their accounts, as the server signed. */
  readonly disabled?: readonly UserId[];
}

/** What newcomers may have of the room's history was changed. */
export interface PolicyEntry extends EntryBase {
  readonly type: "policy";
  readonly history: HistoryWord;
  readonly by: UserId;
}

/** Somebody's keys changed: what, and who signed that. There is nothing to do about it. */
export interface KeysChangedEntry extends EntryBase {
  readonly type: "keys-changed";
  /** Whose keys. */
  readonly user: UserId;
  readonly change: "device-added" | "device-revoked" | "recovery-set" | "identity-reset";
  /** The device or recovery key that was added or revoked. */
  readonly device: DeviceId;
  readonly deviceName: string;
  /** A device or the recovery key of the user, or the owner's device that allowed it. */
  readonly by: {
    readonly kind: "device" | "recovery" | "owner";
    readonly user: UserId;
    readonly device: DeviceId;
    readonly name: string;
  };
}

/** One for each run of records that this device cannot open. Goes when they all came after all. */
export interface HistoryUnavailableEntry extends EntryBase {
  readonly type: "history-unavailable";
  readonly why: "before-this-device" | "cannot-open";
}

/** Messages of a device that never came, or not as their sender means them. Goes when they come after all. */
export interface MessagesMissingEntry extends EntryBase {
  readonly type: "messages-missing";
  readonly sender: UserId;
  readonly device: DeviceId;
  /** At least so many. */
  readonly count: number;
}

/** Something that this device met with in the room, and a person should know. Never content. */
export interface NoticeEntry extends EntryBase {
  readonly type: "notice";
  readonly text: string;
}

/** What a device remembers of its rooms, in the order in which it came to know it. */
export type HistoryEntry =
  | MessageEntry
  | MediaEntry
  | MediaDeletedEntry
  | TitleEntry
  | MembershipEntry
  | PolicyEntry
  | KeysChangedEntry
  | HistoryUnavailableEntry
  | MessagesMissingEntry
  | NoticeEntry;

/** True for what stands beside the room's records, and takes the place of none. */
export function isBeside(type: HistoryEntry["type"]): boolean {
  return type === "keys-changed" || type === "notice";
}

/** An entry with its place in this device's own history: places compare by their characters. */
export type NumberedEntry = HistoryEntry & { readonly order: string };
