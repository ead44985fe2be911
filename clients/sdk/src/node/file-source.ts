import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { SottoClientError } from "../errors.ts";
import type { MediaSource } from "../media/media-source.ts";
import { mimeOf } from "../media/mime.ts";

const readBytes = 1024 * 1024;

/** A file of this machine as something to share. Rejects with FILE where it cannot be read. */
export async function fileSource(path: string): Promise<MediaSource & AsyncDisposable> {
  const file = await openFile(path);
  const { size, mtimeMs, ino } = await file.stat();
  const identity = JSON.stringify([resolve(path), size, mtimeMs, ino]);
  const name = basename(path);
  return {
    name,
    bytes: size,
    mime: mimeOf(name),
    fingerprint: createHash("sha256").update(identity).digest("hex"),
    read: (start, signal) => read(file, path, start, size, signal),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, "r");
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new SottoClientError("FILE", `${path} cannot be read (${code})`, { cause });
  }
  throw new SottoClientError("FILE", `${path} is not a file`);
}

async function* read(
  file: FileHandle,
  path: string,
  start: number,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = start; at < size; ) {
    signal.throwIfAborted();
    const wanted = Math.min(readBytes, size - at);
    const { bytesRead, buffer } = await file.read(new Uint8Array(wanted), 0, wanted, at);
    if (bytesRead === 0)
      throw new SottoClientError("FILE", `${path} became shorter while it was shared`);
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
