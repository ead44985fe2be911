import type {
  CloseCode,
  DeviceId,
  ErrorCode,
  ObjectId,
  PresenceState,
  Request,
  RoomId,
  SignalKind,
  UserId,
} from "@sotto/protocol";
import type { DeviceFacts } from "./input.ts";
import type { ReaderPosition } from "./reader-position.ts";
import type { ResponseBody } from "./response-body.ts";

/** What a session wants done. The connection does it, in order, and feeds results back as inputs. */
export type Effect =
  | { readonly kind: "respond"; readonly stream: number; readonly body: ResponseBody }
  | { readonly kind: "pong"; readonly stream: number; readonly body: Uint8Array }
  | { readonly kind: "tellInterrupted"; readonly room: RoomId; readonly code: ErrorCode }
  /** Result: `deviceFound` or `loginUnavailable`. */
  | { readonly kind: "lookUpDevice"; readonly device: DeviceId }
  /** An Ed25519 signature by the device's login key over `message`. Result: `verified`. */
  | {
      readonly kind: "verify";
      readonly facts: DeviceFacts;
      readonly message: Uint8Array;
      readonly signature: Uint8Array;
    }
  /** Counts the connection to its device, and learns the user's rooms. Result: `admitted` or `loginUnavailable`. */
  | {
      readonly kind: "admit";
      readonly facts: DeviceFacts;
      readonly user: UserId;
      readonly device: DeviceId;
      readonly quiet: boolean;
    }
  /** The login is complete: larger frames are allowed, and presence counts it. */
  | { readonly kind: "loggedIn" }
  | { readonly kind: "loginFailed"; readonly reason: LoginFailure }
  /**
   * Result: `answered`. `room` is set where the caller must be a member of it first: the device itself, or where
   * `access` says so any device of its user. `stranger`: the request counts against the rate of its address.
   */
  | {
      readonly kind: "forward";
      readonly service: "keyserver" | "media";
      readonly stream: number;
      readonly request: Request;
      readonly room: RoomId | undefined;
      readonly access: RoomAccess;
      readonly stranger: boolean;
    }
  /** Result: `answered`. */
  | {
      readonly kind: "append";
      readonly stream: number;
      readonly room: RoomId;
      /** Chosen by the device: 16 bytes. */
      readonly id: Uint8Array;
      readonly handshake: number;
      readonly sealed: Uint8Array;
    }
  /** Result: `answered`. A record for the archive of the caller's user. */
  | {
      readonly kind: "appendArchive";
      readonly stream: number;
      /** Chosen by the device: 16 bytes. */
      readonly id: Uint8Array;
      readonly data: Uint8Array;
    }
  /** Result: `answered`. */
  | {
      readonly kind: "readArchive";
      readonly stream: number;
      readonly after: ReaderPosition;
      readonly limit: number;
    }
  | { readonly kind: "trouble"; readonly cannotOpen: number }
  /** Result: `answered`, after which records flow. */
  | {
      readonly kind: "subscribe";
      readonly stream: number;
      readonly room: RoomId;
      readonly after: ReaderPosition;
    }
  | { readonly kind: "unsubscribe"; readonly room: RoomId }
  /** Result: `answered`. */
  | {
      readonly kind: "signal";
      readonly stream: number;
      readonly room: RoomId;
      readonly signal: SignalKind;
    }
  /** Takes from the device's rate. Result: `presenceAllowed`, or `answered` where nothing is left of it. */
  | {
      readonly kind: "askPresence";
      readonly stream: number;
      readonly state: PresenceState;
    }
  | {
      readonly kind: "setPresence";
      readonly state: PresenceState;
      /** The connection was quiet until now: it is told who is here. */
      readonly begins: boolean;
    }
  | {
      readonly kind: "beginUpload";
      readonly stream: number;
      readonly room: RoomId;
      readonly object: ObjectId;
      readonly piece: number;
      readonly bytes: number;
    }
  /** The bytes are the decoder's until this effect returns. */
  | { readonly kind: "uploadBytes"; readonly stream: number; readonly bytes: Uint8Array }
  /** Result: `answered`. */
  | { readonly kind: "finishUpload"; readonly stream: number }
  | { readonly kind: "dropUpload"; readonly stream: number }
  /** Results: `answered`, then `downloadEnded` where the answer was no refusal. `length` 0: to the end. */
  | {
      readonly kind: "openObject";
      readonly stream: number;
      readonly room: RoomId;
      readonly object: ObjectId;
      readonly offset: number;
      readonly length: number;
      readonly credit: number;
    }
  | { readonly kind: "credit"; readonly stream: number; readonly bytes: number }
  | { readonly kind: "cancelDownload"; readonly stream: number }
  /** The last effect of a session: tells the client why, and ends the connection after a flush. */
  | {
      readonly kind: "close";
      readonly code: CloseCode;
      readonly message: string;
      readonly reconnectAfterMs: number;
    };

/**
 * Who may: the device that is in the room, or every device of a user who is. The latter is for what it takes to come
 * in by an external commit, and for what a person's other devices handed on.
 */
export type RoomAccess = "device" | "user";

/** Why a login failed, for metrics. */
export type LoginFailure =
  | "bad-request"
  | "unsupported-version"
  | "unknown-device"
  | "bad-signature"
  | "revoked"
  | "disabled"
  | "too-many-connections"
  | "unavailable";
