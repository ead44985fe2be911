import type { Clock } from "@sotto/clock";
import { tail } from "@sotto/log";
import type { Follow } from "./follow.ts";

/** Follows topics of a log by its `tail`. A poke begins again where the last record left off. */
export function followLog(clock: Clock): Follow {
  return ({ log, topic, after, incarnation, deliver, failed }) => {
    let position = after;
    let running = new AbortController();
    const run = (own: AbortController) => {
      const request = { topic, after: position, incarnation, clock };
      tail(log, request, own.signal, (record) => {
        if (own.signal.aborted) return;
        position = record.sequence;
        deliver(record);
      }).catch((error: unknown) => {
        if (!own.signal.aborted) failed(error);
      });
    };
    run(running);
    return {
      poke() {
        running.abort();
        running = new AbortController();
        run(running);
      },
      [Symbol.dispose]: () => running.abort(),
    };
  };
}
