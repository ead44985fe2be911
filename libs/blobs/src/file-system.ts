import * as nodeFiles from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { checkKey, checkPrefix } from "./blob-key.ts";
import { type BlobInfo, type BlobStore, BlobStoreError, type ByteRange } from "./blob-store.ts";

/** The file operations that the store needs; a test may record them, or let a disk be full. */
export type BlobFiles = Pick<
  typeof nodeFiles,
  "mkdir" | "open" | "rename" | "rm" | "unlink" | "readdir" | "stat" | "readFile" | "rmdir"
>;

export interface FileSystemBlobsOptions {
  readonly folder: string;
  readonly files?: BlobFiles;
}

const formatVersion = 1;
const readChunkBytes = 1024 * 1024;

/**
 * Blobs as files under `folder`. Rejects with `BlobStoreError` UNAVAILABLE where the folder cannot be used or
 * was written by a newer version.
 */
export async function openFileSystemBlobs(options: FileSystemBlobsOptions): Promise<BlobStore> {
  const files = options.files ?? nodeFiles;
  const store = new FileSystemBlobs(options.folder, files);
  await store.prepare();
  return store;
}

class FileSystemBlobs implements BlobStore {
  readonly #root: string;
  readonly #blobs: string;
  readonly #temporary: string;
  readonly #files: BlobFiles;
  /** Folders that are known to be on the disk, names included. */
  readonly #durableFolders = new Set<string>();
  #next = 0;

  constructor(root: string, files: BlobFiles) {
    this.#root = root;
    this.#blobs = join(root, "blobs");
    this.#temporary = join(root, "incoming");
    this.#files = files;
  }

  async prepare(): Promise<void> {
    try {
      await this.#files.mkdir(this.#root, { recursive: true, mode: 0o700 });
      await this.#checkVersion();
      // What an earlier life did not finish was never acknowledged.
      await this.#files.rm(this.#temporary, { recursive: true, force: true });
      await this.#files.mkdir(this.#temporary, { mode: 0o700 });
      await this.#makeFolder(this.#blobs);
      await this.#syncFolder(this.#root);
    } catch (cause) {
      if (cause instanceof BlobStoreError) throw cause;
      throw new BlobStoreError("UNAVAILABLE", `the blob folder ${this.#root} cannot be used`, {
        cause,
      });
    }
  }

  async put(key: string, data: Uint8Array): Promise<void> {
    checkKey(key);
    const target = join(this.#blobs, key);
    if (await this.#holds(target, data)) return;
    const temporary = join(this.#temporary, `${this.#next++}`);
    try {
      await this.#writeSynced(temporary, data);
      await this.#makeFolder(dirname(target));
      // Somebody else may have put the key meanwhile; within one process the rename is the decision.
      if (await this.#holds(target, data)) return await this.#files.unlink(temporary);
      await this.#files.rename(temporary, target);
      await this.#syncFolder(dirname(target));
    } catch (error) {
      await this.#files.rm(temporary, { force: true }).catch(() => {});
      throw toStoreError(error);
    }
  }

  async *read(key: string, range?: ByteRange): AsyncGenerator<Uint8Array, void, undefined> {
    checkKey(key);
    const file = await this.#open(join(this.#blobs, key));
    try {
      const { size } = await file.stat();
      const { start, end } = range ?? { start: 0, end: size };
      if (
        !(
          Number.isSafeInteger(start) &&
          Number.isSafeInteger(end) &&
          0 <= start &&
          start <= end &&
          end <= size
        )
      ) {
        throw new BlobStoreError("BAD_RANGE", `bytes ${start} to ${end} of ${size}`);
      }
      for (let at = start; at < end; ) {
        const wanted = Math.min(readChunkBytes, end - at);
        const { bytesRead, buffer } = await file.read(
          Buffer.allocUnsafeSlow(wanted),
          0,
          wanted,
          at,
        );
        if (bytesRead === 0) throw new BlobStoreError("UNAVAILABLE", "a blob became shorter");
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } catch (error) {
      throw toStoreError(error);
    } finally {
      await file.close();
    }
  }

  async stat(key: string): Promise<BlobInfo | undefined> {
    checkKey(key);
    try {
      const found = await this.#files.stat(join(this.#blobs, key));
      return found.isFile() ? { key, bytes: found.size } : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw toStoreError(error);
    }
  }

  async *list(prefix: string): AsyncGenerator<BlobInfo, void, undefined> {
    checkPrefix(prefix);
    const entries = await this.#files
      .readdir(join(this.#blobs, prefix), { recursive: true, withFileTypes: true })
      .catch((error: unknown) => {
        if (isMissing(error)) return [];
        throw toStoreError(error);
      });
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const key = relative(this.#blobs, join(entry.parentPath, entry.name)).split(sep).join("/");
      const info = await this.stat(key);
      if (info) yield info;
    }
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    const target = join(this.#blobs, key);
    try {
      await this.#files.unlink(target);
      await this.#syncFolder(dirname(target));
    } catch (error) {
      if (!isMissing(error)) throw toStoreError(error);
    }
  }

  async deleteAll(prefix: string): Promise<void> {
    checkPrefix(prefix);
    const folder = join(this.#blobs, prefix);
    try {
      await this.#files.rm(folder, { recursive: true, force: true });
      for (const known of this.#durableFolders)
        if (`${known}${sep}`.startsWith(folder)) this.#durableFolders.delete(known);
      if (prefix === "") await this.#makeFolder(this.#blobs);
      await this.#syncFolder(prefix === "" ? this.#root : dirname(folder.replace(/[/\\]$/, "")));
    } catch (error) {
      if (!isMissing(error)) throw toStoreError(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #checkVersion(): Promise<void> {
    const marker = join(this.#root, "format");
    const text = await this.#files.readFile(marker, "utf8").catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (text === undefined)
      return await this.#writeSynced(marker, Buffer.from(`${formatVersion}\n`));
    const version = Number(text);
    if (version === formatVersion) return;
    const why =
      version > formatVersion ? `was written by a newer version (format ${version})` : "is damaged";
    throw new BlobStoreError("UNAVAILABLE", `the blob folder ${this.#root} ${why}`);
  }

  /** True where the key holds exactly these bytes; rejects with EXISTS where it holds others. */
  async #holds(target: string, data: Uint8Array): Promise<boolean> {
    const found = await this.#files.readFile(target).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw toStoreError(error);
    });
    if (!found) return false;
    if (Buffer.compare(found, data) === 0) return true;
    throw new BlobStoreError("EXISTS", "the key holds other bytes");
  }

  async #writeSynced(path: string, data: Uint8Array): Promise<void> {
    const file = await this.#files.open(path, "w", 0o600);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Makes a folder and those above it, each name durable in the one above. */
  async #makeFolder(folder: string): Promise<void> {
    if (this.#durableFolders.has(folder) || folder === this.#root) return;
    await this.#makeFolder(dirname(folder));
    await this.#files.mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    await this.#syncFolder(dirname(folder));
    this.#durableFolders.add(folder);
  }

  async #syncFolder(folder: string): Promise<void> {
    const handle = await this.#files.open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async #open(path: string) {
    try {
      return await this.#files.open(path, "r");
    } catch (error) {
      if (isMissing(error)) throw new BlobStoreError("NOT_FOUND", "no such blob", { cause: error });
      throw toStoreError(error);
    }
  }
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR";
}

function toStoreError(error: unknown): BlobStoreError {
  if (error instanceof BlobStoreError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new BlobStoreError("FULL", "no space is left for blobs", { cause: error });
  }
  return new BlobStoreError("UNAVAILABLE", `the blob folder failed (${code ?? "?"})`, {
    cause: error,
  });
}
