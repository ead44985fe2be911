import { limits } from "@sotto/protocol";

/** The protocol's limits as one edge applies them; tests and small machines set lower ones. */
export type EdgeLimits = { readonly [Name in keyof typeof limits]: number };

/** The protocol's limits with those that `overrides` names replaced. */
export function edgeLimits(overrides: Partial<EdgeLimits> = {}): EdgeLimits {
  return { ...limits, ...overrides };
}
