/** External commits that a device makes in one room within an hour: more say that coming back does not help. */
export const rejoinsMax = 3;
const withinMs = 3_600_000;

/** Milliseconds until a device that came back at these times may do so again. */
export function rejoinWaitMs(rejoins: readonly number[], now: number): number {
  const recent = rejoins.filter((at) => at <= now && now - at < withinMs);
  const [oldest = now] = recent.slice(-rejoinsMax);
  return recent.length < rejoinsMax ? 0 : oldest + withinMs - now;
}
