import type { CloseCode, ErrorCode, Frame, PresenceState, RoomId, UserId } from "@sotto/protocol";
import type { ResponseBody } from "./response-body.ts";

/** What the keyserver says of a device that wants to log in. */
export interface DeviceFacts {
  readonly user: UserId;
  readonly authKey: Uint8Array;
  readonly revoked: boolean;
  /** The operator switched the account off. */
  readonly disabled: boolean;
  readonly directorySize: bigint;
  readonly keyPackagesLeft: number;
}

/** Whatever can happen to a session: frames of the client, results of effects, the edge's own wishes. */
export type Input =
  /** A frame of the client, read at `atMs` of the monotonic clock. */
  | { readonly kind: "frame"; readonly frame: Frame; readonly atMs: number }
  /** The frame decoder gave up. */
  | { readonly kind: "unreadable"; readonly tooLarge: boolean }
  /** The answer of a request, from whoever did it. */
  | { readonly kind: "answered"; readonly stream: number; readonly body: ResponseBody }
  /** Result of `lookUpDevice`; undefined where nobody knows the device. */
  | { readonly kind: "deviceFound"; readonly facts: DeviceFacts | undefined }
  /** Result of `verify`. */
  | { readonly kind: "verified"; readonly facts: DeviceFacts; readonly valid: boolean }
  /** Result of `admit`. */
  | { readonly kind: "admitted"; readonly facts: DeviceFacts; readonly tooMany: boolean }
  /** The login could not be judged: the keyserver does not answer. */
  | { readonly kind: "loginUnavailable" }
  /** Result of `askPresence`. */
  | { readonly kind: "presenceAllowed"; readonly stream: number; readonly state: PresenceState }
  /** A subscription ended by the edge's side. */
  | { readonly kind: "interrupted"; readonly room: RoomId; readonly code: ErrorCode }
  /** The device was removed from a room; the removing record is already on its way. */
  | { readonly kind: "removed"; readonly room: RoomId }
  /** A download is over; with `code` where it failed in the middle. */
  | { readonly kind: "downloadEnded"; readonly stream: number; readonly code?: ErrorCode }
  /** The edge wants this connection to end. */
  | {
      readonly kind: "end";
      readonly code: CloseCode;
      readonly message: string;
      readonly reconnectAfterMs?: number;
    };
