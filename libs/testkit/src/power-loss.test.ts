import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { simulatePowerLoss } from "./power-loss.ts";
import { type FileRecorder, recordFiles } from "./recorded-files.ts";

const seeds = Array.from({ length: 200 }, (_, seed) => seed);

async function record(write: (recorder: FileRecorder, folder: string) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), "sotto-power-"));
  try {
    const recorder = recordFiles(folder);
    await write(recorder, folder);
    return recorder;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const written = Buffer.alloc(2048, 7);

const writeAndPromise = (syncs: { file: boolean; folder: boolean }) =>
  record(async ({ files, mark }, folder) => {
    const handle = await files.open(join(folder, "a"), "w");
    await handle.writev([written.subarray(0, 100), written.subarray(100)]);
    if (syncs.file) await handle.datasync();
    await handle.close();
    if (syncs.folder) {
      const parent = await files.open(folder, "r");
      await parent.sync();
      await parent.close();
    }
    mark("a");
  });

function keepsPromise(recording: FileRecorder, seed: number, dropSyncs = false): boolean {
  const disk = simulatePowerLoss(recording, { seed, dropSyncs });
  return disk.promised.every((path) => written.equals(disk.files.get(path) ?? Buffer.alloc(0)));
}

test("what a sync of the file and of its folder covers survives every loss", async () => {
  const recording = await writeAndPromise({ file: true, folder: true });
  expect(seeds.filter((seed) => !keepsPromise(recording, seed))).toEqual([]);
});

test("contents without a sync, names without a sync and lying syncs are lost by some seed", async () => {
  const contents = await writeAndPromise({ file: false, folder: true });
  const names = await writeAndPromise({ file: true, folder: false });
  const both = await writeAndPromise({ file: true, folder: true });
  expect(seeds.some((seed) => !keepsPromise(contents, seed))).toBe(true);
  expect(seeds.some((seed) => !keepsPromise(names, seed))).toBe(true);
  expect(seeds.some((seed) => !keepsPromise(both, seed, true))).toBe(true);
});

test("a rename inside a folder leaves the old name or the new one, never neither", async () => {
  const recording = await record(async ({ files }, folder) => {
    await files.writeFile(join(folder, "old"), "x", { flush: true });
    const parent = await files.open(folder, "r");
    await parent.sync();
    await files.rename(join(folder, "old"), join(folder, "new"));
    await parent.close();
  });
  const names = new Set(
    seeds.map((seed) => {
      const at = recording.operations.length;
      return [...simulatePowerLoss(recording, { seed, at }).files.keys()].join();
    }),
  );
  expect([...names].sort()).toEqual(["new", "old"]);
});

test("a torn write survives up to a sector, so lengths between none and all are seen", async () => {
  const recording = await writeAndPromise({ file: false, folder: true });
  const lengths = new Set(
    seeds.map((seed) => {
      const at = recording.operations.length;
      return simulatePowerLoss(recording, { seed, at }).files.get("a")?.length ?? 0;
    }),
  );
  expect([...lengths].every((length) => length % 512 === 0)).toBe(true);
  expect(lengths.size).toBeGreaterThan(2);
});
