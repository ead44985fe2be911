import { readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { StartError } from "@sotto/chassis";
import { DirectoryStoreError } from "@sotto/directory";
import type { DirectoryHead } from "@sotto/identity";
import { fromHex, toHex } from "@sotto/protocol";
import { syncFolder, writeNewFile } from "../new-file.ts";

/** The folder's name, beside the log key. */
export const logStateFolder = "log.state";

const markerName = "restored";

/** That the data came from a backup. */
export interface Restored {
  /** The head that stood before, as the operator learned it from people; absent where nobody knows. */
  readonly known?: DirectoryHead;
}

const digits = 16;

/**
 * The largest checkpoint that this server ever gave away, as a file named by its size in `log.state`: what a store
 * that holds less is measured by. Written before the checkpoint leaves. Replicas share the folder without a lock: a
 * file is made once and never changed, the largest name counts, so no order of writes takes it back; and of two roots
 * for one size only the first is ever released.
 *
 * Beside it a file named `restored` says that the data came from a backup, and which head it had reached before.
 */
export class LogState {
  readonly #parent: string;
  readonly #folder: string;

  /** `folder` holds the log key. */
  constructor(folder: string) {
    this.#parent = folder;
    this.#folder = join(folder, logStateFolder);
  }

  /** The largest checkpoint released. Rejects with `StartError` where its file cannot be read or is damaged. */
  async largest(): Promise<DirectoryHead | undefined> {
    for (;;) {
      const name = (await this.#names()).at(-1);
      if (name === undefined) return undefined;
      const root = await this.#read(name);
      // Gone: a replica has released a larger one meanwhile.
      if (root) return { size: Number(name), root };
    }
  }

  /**
   * Resolves when it is durable that this checkpoint was released, or a larger one. Rejects with
   * `DirectoryStoreError` CORRUPT where one of the same size and another root was.
   */
  async release({ size, root }: DirectoryHead): Promise<void> {
    const name = String(size).padStart(digits, "0");
    const largest = (await this.#names()).at(-1);
    if (largest !== undefined && largest > name) return;
    if (largest !== name) await writeNewFile(this.#folder, name, `${toHex(root)}\n`);
    const standing = await this.#read(name);
    if (standing && toHex(standing) !== toHex(root))
      throw new DirectoryStoreError(
        "CORRUPT",
        "another directory of this size was signed: the store was altered or replaced",
      );
    for (const smaller of await this.#names())
      if (smaller < name) await unlink(join(this.#folder, smaller)).catch(ignoreMissing);
  }

  /**
   * What the marker says of data that came from a backup; `undefined` where there is none. Rejects with `StartError`
   * where it is neither empty nor a size and a root.
   */
  async restored(): Promise<Restored | undefined> {
    const path = join(this.#parent, markerName);
    let text: string;
    try {
      text = (await readFile(path, "utf8")).trim();
    } catch (error) {
      ignoreMissing(error);
      return undefined;
    }
    if (text === "") return {};
    const [, size, root = ""] = /^(\d{1,15})\s+([0-9a-f]{64})$/.exec(text) ?? [];
    if (size === undefined)
      throw new StartError(
        `${path} is to be empty, or to hold a size and a root: 123 <64 hex digits>`,
      );
    return { known: { size: Number(size), root: fromHex(root) } };
  }

  /** Takes the marker away, durably. */
  async forgetRestored(): Promise<void> {
    await unlink(join(this.#parent, markerName)).catch(ignoreMissing);
    await syncFolder(this.#parent);
  }

  async #names(): Promise<string[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => /^\d{16}$/.test(name)).sort();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw new StartError(`cannot read ${this.#folder}`, { cause });
    }
  }

  async #read(name: string): Promise<Uint8Array | undefined> {
    const path = join(this.#folder, name);
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new StartError(`cannot read ${path}`, { cause });
    }
    if (!/^[0-9a-f]{64}\n$/.test(text))
      throw new StartError(`${path} is damaged: restore ${this.#folder} from a backup`);
    return fromHex(text.trim());
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}
