import { open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { SottoClientError } from "../errors.ts";
import type { OpenedMedia } from "../media/media-library.ts";

export interface SaveOptions {
  readonly signal: AbortSignal;
  onProgress?(done: number, total: number): void;
}

const syncEveryBytes = 16 * 1024 * 1024;

/**
 * Receives a media object into a file. It grows beside its place as `<path>.<object>.part` and takes the
 * place only when it is whole and synced; run again after an interruption, it goes on.
 */
export async function saveTo(
  media: OpenedMedia,
  path: string,
  options: SaveOptions,
): Promise<{ object: string; path: string; bytes: number }> {
  const part = `${path}.${media.object.slice(0, 8)}.part`;
  const file = await openPart(part);
  try {
    let at = Math.min((await file.stat()).size, media.bytes);
    await file.truncate(at);
    let synced = at;
    for await (const bytes of media.read(at, media.bytes, options.signal)) {
      await file.write(bytes, 0, bytes.length, at);
      at += bytes.length;
      if (at - synced >= syncEveryBytes) {
        await file.datasync();
        synced = at;
      }
      options.onProgress?.(at, media.bytes);
    }
    if (at !== media.bytes)
      throw new SottoClientError("ALTERED", "the file ended before it should");
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
  const folder = await open(dirname(path), "r");
  await folder.sync().finally(() => folder.close());
  return { object: media.object, path, bytes: (await stat(path)).size };
}

async function openPart(part: string) {
  try {
    // Not "a": on Linux that would ignore the position that is written to.
    return await open(part, "r+").catch(() => open(part, "wx+", 0o600));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new SottoClientError("FILE", `${part} cannot be written (${code})`, { cause });
  }
}
