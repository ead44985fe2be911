import type { Environment } from "@sotto/chassis";

/** What the command takes from its process: the only place that reads it. */
export function processConfig(): {
  readonly env: Environment;
  readonly terminal: boolean;
} {
  return { env: process.env, terminal: process.stdout.isTTY === true };
}
