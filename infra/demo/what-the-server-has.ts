import { open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DemoServer } from "./server.ts";

const regionBytesMax = 64 * 1024 * 1024;

/** Where on the server's side some bytes are found: files, output, memory (where the system shows it). */
export async function findInServer(
  needle: Buffer,
  data: string,
  server: DemoServer,
): Promise<string[]> {
  const places = await filesWith(needle, data);
  if (server.output().includes(needle.toString("latin1"))) places.push("its output");
  if (await inMemory(server.pid, needle)) places.push("its memory");
  return places;
}

/** Files below a folder that hold some bytes. */
export async function filesWith(needle: Buffer, folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && (await readFile(path)).includes(needle)) found.push(path);
  }
  return found;
}

/** Looks through a process's writable memory. False where the system does not let us. */
async function inMemory(pid: number, needle: Buffer): Promise<boolean> {
  let maps: string;
  try {
    maps = await readFile(`/proc/${pid}/maps`, "utf8");
  } catch {
    return false;
  }
  const memory = await open(`/proc/${pid}/mem`, "r");
  try {
    for (const line of maps.split("\n")) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
      if (!match?.[1] || !match[2]) continue;
      const start = Number.parseInt(match[1], 16);
      const length = Number.parseInt(match[2], 16) - start;
      if (length > regionBytesMax || !Number.isSafeInteger(start)) continue;
      const region = Buffer.alloc(length);
      const read = await memory.read(region, 0, length, start).catch(() => undefined);
      if (read && region.subarray(0, read.bytesRead).includes(needle)) return true;
    }
    return false;
  } finally {
    await memory.close();
  }
}
