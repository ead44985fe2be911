import type { SuiteName } from "@sotto/mls";
import { nodeEngine } from "@sotto/mls/node";
import type { Figures } from "../load/figures.ts";
import type { Measured } from "../load/process.ts";
import { clientBacklog } from "./client-backlog.ts";
import { engines } from "./engines.ts";
import { joining } from "./joining.ts";
import { messages, rawMessages } from "./messages.ts";

const suites: readonly SuiteName[] = ["x-wing", "classical"];
const joinedDevices = 128;

/**
 * What a client's cryptography costs: sealing, opening a backlog of messages of 1 KiB and joining a large room, with every
 * engine and suite, beside AES-GCM and Ed25519 alone; then the backlog through whole clients.
 */
export async function cryptoFigures(
  server: () => Promise<Measured>,
  quick: boolean,
): Promise<{ readonly rows: Figures[]; readonly notes: readonly string[] }> {
  const count = quick ? 1000 : 10_000;
  const rows: Figures[] = [];
  const notes: string[] = [];
  for (const suite of suites) {
    rows.push(...(await rawMessages(suite, count)));
    for (const engine of engines) rows.push(...(await messages(suite, engine, count)));
    rows.push(...(await joining(suite, engines, joinedDevices, quick ? 3 : 10)));
    await using running = await server();
    const backlog = await clientBacklog(running, suite, nodeEngine, count);
    rows.push(...backlog.rows);
    const { before, peak } = backlog.memory;
    notes.push(
      `memory while a client opens ${count.toLocaleString("en")} messages, ${suite}: ${mebibytes(peak)} resident at most, ${mebibytes(before)} before`,
    );
  }
  return { rows: rows.sort((a, b) => (a.case < b.case ? -1 : a.case > b.case ? 1 : 0)), notes };
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
