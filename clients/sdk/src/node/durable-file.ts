import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Puts a file in place of another so that a crash leaves the old or the new one whole: written aside with
 * mode 0600, synced, renamed, folder synced. Resolved means durable.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const aside = join(dirname(path), `.${basename(path)}.new`);
  const file = openSync(aside, "w", 0o600);
  try {
    writeAll(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(aside, path);
  syncFolder(dirname(path));
}

/**
 * As `replaceFile`, and overwrites the bytes of the file that was there. On a disk that writes in place that
 * is the end of them; flash and copying file systems may keep a copy.
 */
export function replaceSecretFile(path: string, bytes: Uint8Array): void {
  const old = openIfThere(path);
  try {
    replaceFile(path, bytes);
    if (old === undefined) return;
    writeAll(old, new Uint8Array(fstatSync(old).size));
    fsyncSync(old);
  } finally {
    if (old !== undefined) closeSync(old);
  }
}

/** The whole of a small file, `undefined` where there is none. Throws where it is longer than `bytesMax`. */
export function readSmallFile(path: string, bytesMax: number): Buffer | undefined {
  const file = openIfThere(path, "r");
  if (file === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(bytesMax + 1);
    let length = 0;
    for (;;) {
      const read = readSync(file, bytes, length, bytes.length - length, null);
      if (read === 0) return bytes.subarray(0, length);
      length += read;
      if (length > bytesMax) throw new Error(`${path} is longer than ${bytesMax} bytes`);
    }
  } finally {
    closeSync(file);
  }
}

function openIfThere(path: string, flags: "r" | "r+" = "r+"): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, at);
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
