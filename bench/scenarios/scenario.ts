import type { Figures } from "../load/figures.ts";
import type { Measured } from "../load/process.ts";

/** What a scenario runs on: both servers, started fresh for it. */
export interface Bench {
  readonly sotto: Measured;
  readonly relay: Measured;
  /** A tenth of the work, for a quick look. */
  readonly quick: boolean;
}

export type Scenario = (bench: Bench) => Promise<Figures[]>;
