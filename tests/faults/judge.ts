import type { Stack } from "../compose/stack.ts";
import type { Verdict } from "./ledger.ts";
import { type Load, pause } from "./load.ts";
import { unhealthy } from "./parts.ts";

/** How a fault came out. */
export interface Outcome {
  readonly fault: string;
  readonly verdict: Verdict;
  /** Longest time without an acknowledgement, from the strike until all was well, ms. */
  readonly outageMs: number;
  /** From the fault's end until everybody saw everybody, ms. */
  readonly presenceMs: number;
  /** What is wrong, in words. */
  readonly wrong: readonly string[];
}

/** Presence may take this long after a fault, by the promise. */
const presenceWithinMs = 10_000;
const deliveredWithinMs = 30_000;
const healthyWithinMs = 60_000;

/** Longer than a lease lives: who was held for gone by a late notice shows. */
const watchedMs = 8000;

/** When presence was seen wrong for the last time, ms after the fault's end; watched until it was right for long. */
async function lastWrongPresence(load: Load, overMs: number): Promise<number> {
  let last = 0;
  for (;;) {
    const now = performance.now() - overMs;
    if (!load.presenceIsRight) last = now;
    if (now >= watchedMs && now - last >= Math.min(3000, watchedMs)) return last;
    if (now > 3 * presenceWithinMs) return now;
    await pause(100);
  }
}

/** Waits until all is well again without a hand, and says what is not. */
export async function judge(
  fault: string,
  stack: Stack,
  load: Load,
  struckMs: number,
  found: readonly string[],
): Promise<Outcome> {
  const overMs = performance.now();
  const wrong = [...found];
  const waitFor = async (
    what: string,
    withinMs: number,
    holds: () => boolean | Promise<boolean>,
  ) => {
    const end = overMs + withinMs;
    while (!(await holds())) {
      if (performance.now() > end) {
        wrong.push(`${what} was not so within ${withinMs / 1000} s`);
        break;
      }
      await pause(100);
    }
    return performance.now() - overMs;
  };
  const presenceMs = await lastWrongPresence(load, overMs);
  if (presenceMs > presenceWithinMs)
    wrong.push(`presence was not right within ${presenceWithinMs / 1000} s`);
  const before = load.ledger.size;
  await waitFor("messages flow", deliveredWithinMs, () => load.ledger.size > before + 10);
  await waitFor("every container is healthy", healthyWithinMs, async () => {
    return (await unhealthy(stack)).length === 0;
  });
  const outageMs = load.ledger.longestSilence(struckMs);
  const count = load.ledger.size;
  const judged = () => load.ledger.judge(load.names, count);
  await waitFor("all is delivered", deliveredWithinMs, () => judged().lost === 0);
  const damaged = await load.damaged(2).catch((error: unknown) => {
    wrong.push(`uploads cannot be read: ${String(error)}`);
    return 0;
  });
  if (damaged > 0) wrong.push(`${damaged} uploads are not what was shared`);
  if (load.media.wrong > 0) wrong.push(`${load.media.wrong} reads gave other bytes`);
  const verdict = judged();
  for (const name of ["doubled", "outOfOrder"] as const)
    if (verdict[name] > 0) wrong.push(`${verdict[name]} ${name}`);
  return { fault, verdict, outageMs, presenceMs, wrong };
}
