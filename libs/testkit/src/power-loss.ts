import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DiskModel } from "./disk-model.ts";
import type { Recording } from "./recording.ts";
import { seededRandom } from "./seeded-random.ts";

export interface PowerLossOptions {
  /** Decides the instant and what survives of what no sync covers. The same seed, the same loss. */
  readonly seed: number;
  /** The instant, as a number of operations that completed; without it the seed decides. */
  readonly at?: number;
  /** True: the disk lies and every sync is ignored. Then acknowledged data must be lost. */
  readonly dropSyncs?: boolean;
  /**
   * "strict" (default): a new, renamed or removed name is certain only after a sync of its folder.
   * "with-file": a sync of a file makes its own name certain too, as ext4, XFS and btrfs do.
   */
  readonly names?: "strict" | "with-file";
}

/** What the disk holds after the power came back. */
export interface DiskAfterPowerLoss {
  /** Contents by relative path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly folders: readonly string[];
  /** Labels of the marks before the instant: what the writer had promised. */
  readonly promised: readonly string[];
  /** Replaces `folder` by what the disk holds. */
  writeTo(folder: string): Promise<void>;
}

/**
 * Plays a recording up to an instant, then drops what no sync covers: of the pending writes of a
 * file, and of the pending entries of a folder, a random prefix or a random subset survives, the
 * last write torn at a 512-byte boundary. Pure: the recording may be used for many seeds.
 */
export function simulatePowerLoss(
  recording: Recording,
  options: PowerLossOptions,
): DiskAfterPowerLoss {
  const random = seededRandom(options.seed);
  const count = recording.operations.length;
  const at = options.at ?? Math.floor(random() * (count + 1));
  const disk = new DiskModel({ namesWithFile: options.names === "with-file" });
  const promised: string[] = [];
  for (const [index, operation] of recording.operations.slice(0, at).entries()) {
    if (operation.op === "mark") promised.push(operation.label);
    else if (operation.op !== "sync") disk.apply(operation, index);
    else if (!options.dropSyncs) disk.sync(operation.node, operation.before);
  }
  const { files, folders } = disk.lose(random);
  return { files, folders, promised, writeTo: (folder) => write(folder, files, folders) };
}

async function write(
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
  folders: readonly string[],
): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const path of folders) await mkdir(join(folder, path), { recursive: true });
  for (const [path, data] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), data);
  }
}
