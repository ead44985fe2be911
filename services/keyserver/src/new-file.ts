import { randomBytes } from "node:crypto";
import { link, mkdir, open, unlink } from "node:fs/promises";
import { join } from "node:path";

/**
 * Writes a file that nobody may change, so that after a power loss it is there whole or not at all. Answers false, and
 * leaves what stands, where there is one of that name already. Rejects as the file system does.
 */
export async function writeNewFile(
  folder: string,
  name: string,
  content: string,
): Promise<boolean> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString("hex")}.new`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  let written = true;
  try {
    // Unlike a rename, it takes nobody's place.
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    written = false;
  } finally {
    await unlink(temporary);
  }
  await syncFolder(folder);
  return written;
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const directory = await open(folder, "r");
  await directory.sync().finally(() => directory.close());
}
