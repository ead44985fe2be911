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
const digits = 16;

/**
 * The largest checkpoint that this server ever gave away, as a file named by its size in `log.state`: what a store
 * that holds less is measured by. Written before the checkpoint leaves. Replicas share the folder without a lock: a
 * file is made once and never changed, the largest name counts, so no order of writes takes it back; and of two roots
 * for one size only the first is ever released.
 *
 * Beside it a file named `restored` says that the data came from a backup.
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

  /** True while the marker says that the data came from a backup, and nobody has shown that nothing is missing. */
  async isRestored(): Promise<boolean> {
    return await readFile(join(this.#parent, markerName)).then(
      () => true,
      (error: unknown) => {
        ignoreMissing(error);
        return false;
      },
    );
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
