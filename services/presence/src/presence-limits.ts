/** Times and bounds of presence. */
export interface PresenceLimits {
  /** An edge that was silent for so long is dead. Edges send a lease every 2,000 ms. */
  readonly leaseTimeoutMs: number;
  /** How often dead edges are looked for. */
  readonly sweepPeriodMs: number;
  /** A replica that starts says nothing for so long, unless it is the only one. */
  readonly quietAtStartMs: number;
  /** A replica that starts answers snapshots after it waited so long for the leases it asked for. */
  readonly gatherMs: number;
  readonly heartbeatPeriodMs: number;
  /** A replica that was silent for so long is dead. */
  readonly replicaTimeoutMs: number;
  /** Between two requests for leases. */
  readonly askPeriodMs: number;
  /** Edges beyond this number are ignored, and counted. */
  readonly edgesMax: number;
  /** Users beyond this number are left out, and counted. */
  readonly usersMax: number;
  /** Incarnations that an edge ended or had replaced, remembered to ignore what comes late of them. */
  readonly retiredMax: number;
  /** Users in one snapshot request; the rest is not answered. */
  readonly snapshotUsersMax: number;
  /** Other replicas that are listened to. */
  readonly replicasMax: number;
}

export const presenceLimits: PresenceLimits = {
  leaseTimeoutMs: 6000,
  sweepPeriodMs: 500,
  quietAtStartMs: 6000,
  gatherMs: 1000,
  heartbeatPeriodMs: 1000,
  replicaTimeoutMs: 3000,
  askPeriodMs: 500,
  edgesMax: 1024,
  usersMax: 200_000,
  retiredMax: 4096,
  snapshotUsersMax: 20_000,
  replicasMax: 64,
};
