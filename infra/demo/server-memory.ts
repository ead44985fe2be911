import { open, readFile } from "node:fs/promises";

/** Every readable and writable region of a process, but those above a size. Throws where the system does not let us. */
export async function* memoryOf(pid: number, regionBytesMax: number): AsyncGenerator<Buffer> {
  const maps = await readFile(`/proc/${pid}/maps`, "utf8");
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
      if (read) yield region.subarray(0, read.bytesRead);
    }
  } finally {
    await memory.close();
  }
}
