import { open, rename, stat } from "node:fs/promises";
import { dirname, join, parse } from "node:path";
import { SottoClientError } from "../errors.ts";
import type { OpenedMedia } from "../media/media-library.ts";

/** How a file is received. */
export interface SaveOptions {
  /** Ends it with the signal's reason; what came by then is used the next time. */
  readonly signal: AbortSignal;
  /** A file that has the path already stays, and this one becomes `name (1).ext`: where others chose the name. */
  readonly keepExisting?: boolean;
  /** Plaintext bytes that are there, of all. */
  onProgress?(done: number, total: number): void;
}

const syncEveryBytes = 16 * 1024 * 1024;
/** Files of one name in a folder, before a person should look at it. */
const sameNameMax = 1000;

/**
 * Receives a media object into a file. It grows beside its place as `<path>.<first 8 digits of the object>.part` and
 * takes the place only when it is whole and synced; run again after an interruption, it goes on. A file of that path
 * is replaced, unless it is to be kept. Answers the path that it got. Rejects with FILE where it cannot be written,
 * ALTERED where it is not what was shared.
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
  const place = options.keepExisting ? await freePlace(path) : path;
  await rename(part, place);
  const folder = await open(dirname(place), "r");
  await folder.sync().finally(() => folder.close());
  return { object: media.object, path: place, bytes: (await stat(place)).size };
}

/** Makes an empty file at the path, or beside it where that one is taken: nobody else can take it then. */
async function freePlace(path: string): Promise<string> {
  const { dir, name, ext } = parse(path);
  for (let i = 0; i < sameNameMax; i++) {
    const place = i === 0 ? path : join(dir, `${name} (${i})${ext}`);
    try {
      await (await open(place, "wx", 0o600)).close();
      return place;
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code !== "EEXIST")
        throw new SottoClientError("FILE", `${place} cannot be written (${code})`, { cause });
    }
  }
  throw new SottoClientError("FILE", `there are ${sameNameMax} files named like ${path} already`);
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
