import { type Clock, systemClock } from "@sotto/clock";

const hourMs = 3_600_000;

/** The machine's clock as somebody has it whose wall clock is ahead by so much (behind where negative). */
export function clockAhead(ms: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + ms };
}

/** A hundred days later: longer than the 90 days for which a leaf is good. */
export const monthsLater: Clock = clockAhead(100 * 24 * hourMs);
