import type { UserId } from "@sotto/protocol";
import type { Availability } from "./availability.ts";

/** What one life of an edge says of its users. */
export interface EdgeLease {
  readonly edge: string;
  /** Hex. Another one at each start of the edge. */
  readonly incarnation: string;
  /** Of the last message that was applied. */
  version: number;
  /** Monotonic time of the last sign of life. */
  heardAtMs: number;
  /** A change was missed: the next lease replaces everything, whatever its version. */
  gap: boolean;
  readonly users: Map<UserId, Availability>;
}
