import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DemoServer } from "../../infra/demo/server.ts";
import { memoryOf } from "../../infra/demo/server-memory.ts";
import { type Canary, heldBy, standsIn } from "./needles.ts";

/** Larger regions are not looked through. */
const regionBytesMax = 512 * 1024 * 1024;

/** A kind of place on the server's side, and its bytes piece by piece. */
export type Place = "data folder" | "output" | "metrics" | "traffic between services" | "memory";

/** In which kinds of places of a running server each canary is found; every place is read once for all of them. */
export async function whereFound(
  canaries: readonly Canary[],
  server: DemoServer,
  data: string,
  traffic: Buffer,
): Promise<Map<Canary, Set<Place>>> {
  const found = new Map(canaries.map((canary) => [canary, new Set<Place>()]));
  const look = (place: Place, held: readonly Canary[]) => {
    for (const canary of held) found.get(canary)?.add(place);
  };
  for await (const bytes of files(data)) look("data folder", heldBy(bytes, canaries));
  look("output", heldBy(Buffer.from(server.output()), canaries));
  look("metrics", heldBy(await metrics(server), canaries));
  look("traffic between services", heldBy(traffic, canaries));
  for await (const region of memoryOf(server.pid, regionBytesMax)) {
    // Compressed streams in memory are looked for in the files that they come from or go to.
    look(
      "memory",
      canaries.filter((canary) => standsIn(region, canary)),
    );
  }
  return found;
}

async function* files(folder: string): AsyncGenerator<Buffer> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) yield await readFile(join(entry.parentPath, entry.name));
  }
}

async function metrics(server: DemoServer): Promise<Buffer> {
  const admin = /"host":"([^"]+)","port":(\d+),"message":"admin port is open"/.exec(
    server.output(),
  );
  const response = await fetch(`http://${admin?.[1]}:${admin?.[2]}/metrics`);
  return Buffer.from(await response.text());
}
