import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DemoServer } from "./server.ts";
import { memoryOf } from "./server-memory.ts";

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
  try {
    for await (const region of memoryOf(pid, regionBytesMax)) {
      if (region.includes(needle)) return true;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EACCES" && code !== "EPERM") throw error;
  }
  return false;
}
