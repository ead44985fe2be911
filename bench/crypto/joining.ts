import type { CryptoEngine, SuiteName } from "@sotto/mls";
import { nodeEngine } from "@sotto/mls/node";
import { type Figures, percentiles } from "../load/figures.ts";
import { cast } from "./cast.ts";
import { ownCost } from "./own-cost.ts";

/** The last device joins a group of `devices` by its Welcome and the tree, several times with each engine. */
export async function joining(
  suite: SuiteName,
  engines: readonly CryptoEngine[],
  devices: number,
  times: number,
): Promise<Figures[]> {
  const { join } = await cast(suite, devices, nodeEngine);
  const rows: Figures[] = [];
  for (const engine of engines) {
    const latencies: number[] = [];
    await join(engine);
    const cost = await ownCost(async () => {
      for (let i = 0; i < times; i++) {
        const began = performance.now();
        await join(engine);
        latencies.push(performance.now() - began);
      }
    });
    rows.push({
      server: engine.name,
      case: `join ${devices} devices, ${suite}`,
      rate: times / cost.seconds,
      unit: "joins/s",
      cpuMs: cost.cpuMs / times,
      cpuPer: "join",
      latencyMs: percentiles(latencies),
    });
  }
  return rows;
}
