import type { Measured } from "./process.ts";

/** CPU, time and work of one stretch of load. */
export interface Stretch {
  readonly seconds: number;
  readonly cpuMs: number;
}

/** Runs `load` and tells what it cost the server. */
export async function stretch(server: Measured, load: () => Promise<void>): Promise<Stretch> {
  const cpuBefore = server.cpuMs();
  const began = performance.now();
  await load();
  const seconds = (performance.now() - began) / 1000;
  // The accounting of the kernel has a grain of 10 ms; what is under way ends first.
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { seconds, cpuMs: server.cpuMs() - cpuBefore };
}

/** Keeps `inFlight` calls of `once` under way until `total` are done. */
export async function closedLoop(
  total: number,
  inFlight: number,
  once: (i: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < total) await once(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

/** Calls `once` at a steady rate for `seconds`, whatever its answers do. */
export async function openLoop(
  perSecond: number,
  seconds: number,
  once: (i: number) => void,
): Promise<void> {
  const began = performance.now();
  const total = perSecond * seconds;
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * perSecond));
    while (sent < due) once(sent++);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Resolves when `holds`, asked every few milliseconds; rejects after `timeoutMs`. */
export async function until(what: string, holds: () => boolean, timeoutMs = 60_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
