import type { DeviceId, RoomId, UserId } from "@sotto/protocol";
import type { EdgeLimits } from "../edge-limits.ts";

/**
 * How far a connection has come. `registering` and `authenticating` last while the answer of
 * another service is awaited; nothing leaves `closing`.
 */
export type Phase = "greeting" | "registering" | "authenticating" | "ready" | "closing";

/** What a connection's Authenticate claims, kept while it is judged. */
export interface LoginClaim {
  readonly stream: number;
  readonly device: DeviceId;
  readonly clientNonce: Uint8Array;
  readonly signature: Uint8Array;
  readonly quiet: boolean;
}

/** Who a connection turned out to be. */
export interface Principal {
  readonly user: UserId;
  readonly device: DeviceId;
  readonly quiet: boolean;
}

/** A piece on its way in. */
export interface Upload {
  readonly bytes: number;
  receivedBytes: number;
  /** All bytes are here and the media service has them now. */
  complete: boolean;
}

/**
 * One connection's state. `step` owns it and changes it in place: a copy for every frame would be
 * the dearest thing on a message's way. Nothing else writes to it.
 */
export interface Session {
  readonly limits: EdgeLimits;
  readonly serverKey: Uint8Array;
  /** This connection's nonce; an Authenticate spends it. */
  readonly nonce: Uint8Array;
  /** What ties a login to this very channel; see Authenticate in client.proto. */
  readonly binding: Uint8Array;
  phase: Phase;
  /** The stream of this connection's Register, once there was one. */
  registration: number | undefined;
  /** Requests beside Register and Authenticate that came before the login. */
  strangerRequests: number;
  /** Frames of any type that came before the login. */
  strangerFrames: number;
  /** Messages that this connection said it could not open, as far as they were counted. */
  troubleReported: number;
  claim: LoginClaim | undefined;
  principal: Principal | undefined;
  /** Streams of requests that wait for their answer; with a Subscribe, its room. */
  readonly requests: Map<number, RoomId | undefined>;
  readonly subscriptions: Set<RoomId>;
  readonly uploads: Map<number, Upload>;
  readonly downloads: Set<number>;
}

/** What a session is born with. */
export interface SessionSetup {
  readonly limits: EdgeLimits;
  readonly serverKey: Uint8Array;
  readonly nonce: Uint8Array;
  readonly binding: Uint8Array;
}

/** The state of a connection whose Hello is on its way. */
export function newSession(setup: SessionSetup): Session {
  return {
    ...setup,
    phase: "greeting",
    registration: undefined,
    strangerRequests: 0,
    strangerFrames: 0,
    troubleReported: 0,
    claim: undefined,
    principal: undefined,
    requests: new Map(),
    subscriptions: new Set(),
    uploads: new Map(),
    downloads: new Set(),
  };
}
