import type * as promises from "node:fs/promises";

/** What the log needs of `node:fs/promises`, as a parameter so that tests can harm it. */
export type LogFiles = Pick<
  typeof promises,
  "open" | "rename" | "unlink" | "mkdir" | "readdir" | "readFile"
>;

/** Makes new, renamed and removed names of a folder durable. */
export async function syncFolder(files: LogFiles, folder: string): Promise<void> {
  const handle = await files.open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a file so that after a crash it is there whole or not at all. */
export async function writeDurably(
  files: LogFiles,
  folder: string,
  name: string,
  data: Uint8Array,
): Promise<void> {
  const temporary = `${folder}/${name}.tmp`;
  const handle = await files.open(temporary, "w");
  try {
    await writeAll(handle, data, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await files.rename(temporary, `${folder}/${name}`);
  await syncFolder(files, folder);
}

/** Writes all of `data` at `position`: one call may write less than it was given. */
export async function writeAll(
  handle: promises.FileHandle,
  data: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await handle.write(data, done, data.length - done, position + done);
    done += bytesWritten;
  }
}
