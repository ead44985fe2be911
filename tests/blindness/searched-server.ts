import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DemoServer, startServer } from "../../infra/demo/server.ts";
import type { Canary } from "./needles.ts";
import { type Place, whereFound } from "./places.ts";

const tapped = join(import.meta.dirname, "tapped-server.ts");

/** A server of whose services every word to each other is kept, for as long as `use` takes. */
export async function withSearchedServer(
  use: (server: DemoServer, data: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-blind-"));
  const data = join(folder, "data");
  const server = await startServer(data, 0, tapped);
  try {
    await use(server, data);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The kinds of places on its side in which each canary is found, in the order of the canaries. */
export async function found(
  wanted: readonly Canary[],
  server: DemoServer,
  data: string,
): Promise<{ readonly canary: Canary; readonly places: readonly Place[] }[]> {
  const places = await whereFound(wanted, server, data, await readFile(`${data}.traffic`));
  return [...places].map(([canary, where]) => ({ canary, places: [...where].sort() }));
}
