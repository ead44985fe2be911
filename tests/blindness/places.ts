import { open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DemoServer } from "../../infra/demo/server.ts";
import { type Canary, holds } from "./needles.ts";

/** A kind of place on the server's side, and its bytes piece by piece. */
export type Place = "data folder" | "output" | "metrics" | "traffic between services" | "memory";

/** In which kinds of places of a running server a canary is found. */
export async function whereFound(
  canary: Canary,
  server: DemoServer,
  data: string,
  traffic: Buffer,
): Promise<Set<Place>> {
  const found = new Set<Place>();
  for await (const bytes of files(data)) if (holds(bytes, canary)) found.add("data folder");
  if (holds(Buffer.from(server.output()), canary)) found.add("output");
  if (holds(await metrics(server), canary)) found.add("metrics");
  if (holds(traffic, canary)) found.add("traffic between services");
  for await (const region of memory(server.pid)) {
    // Compressed streams in memory are looked for in the files that they come from or go to.
    if (canary.forms.some((form) => region.includes(form))) found.add("memory");
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

const regionBytesMax = 512 * 1024 * 1024;

/** Every readable and writable region of a process. */
async function* memory(pid: number): AsyncGenerator<Buffer> {
  const maps = await readFile(`/proc/${pid}/maps`, "utf8");
  const mem = await open(`/proc/${pid}/mem`, "r");
  try {
    for (const line of maps.split("\n")) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
      if (!match?.[1] || !match[2]) continue;
      const start = Number.parseInt(match[1], 16);
      const length = Number.parseInt(match[2], 16) - start;
      if (length > regionBytesMax || !Number.isSafeInteger(start)) continue;
      const region = Buffer.alloc(length);
      const read = await mem.read(region, 0, length, start).catch(() => undefined);
      if (read) yield region.subarray(0, read.bytesRead);
    }
  } finally {
    await mem.close();
  }
}
