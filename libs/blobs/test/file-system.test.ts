import { randomBytes } from "node:crypto";
import * as nodeFiles from "node:fs/promises";
import { join } from "node:path";
import { recordFiles, simulatePowerLoss } from "@sotto/testkit";
import { expect, test } from "vitest";
import { describeBlobStore } from "../src/conformance.ts";
import { type BlobFiles, openFileSystemBlobs } from "../src/file-system.ts";
import { temporaryFolder } from "./temporary-folder.ts";

describeBlobStore("file system", async () => {
  const folder = await temporaryFolder();
  const store = await openFileSystemBlobs({ folder: folder.path });
  return { store, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
});

async function read(
  store: Awaited<ReturnType<typeof openFileSystemBlobs>>,
  key: string,
): Promise<Buffer | undefined> {
  if (!(await store.stat(key))) return undefined;
  const parts: Uint8Array[] = [];
  for await (const part of store.read(key)) parts.push(part);
  return Buffer.concat(parts);
}

/** Puts, deletes and puts again under a recorder; marks what was promised. */
async function recorded() {
  const folder = await temporaryFolder();
  const recorder = recordFiles(folder.path);
  const store = await openFileSystemBlobs({ folder: folder.path, files: recorder.files });
  const blobs = new Map<string, Buffer>();
  for (let i = 0; i < 30; i++) {
    const key = `room${i % 3}/object${i % 7}/p/${i}`;
    blobs.set(key, randomBytes(1000 + i * 100));
    await store.put(key, blobs.get(key) as Buffer);
    recorder.mark(`put ${key}`);
  }
  for (const key of [...blobs.keys()].slice(0, 5)) {
    recorder.mark(`deleting ${key}`);
    await store.delete(key);
    recorder.mark(`deleted ${key}`);
  }
  await folder[Symbol.asyncDispose]();
  return { recorder, blobs };
}

/** Promises that the disk after the loss does not keep. */
async function broken(
  { recorder, blobs }: Awaited<ReturnType<typeof recorded>>,
  seed: number,
  dropSyncs: boolean,
): Promise<string[]> {
  await using folder = await temporaryFolder();
  const disk = simulatePowerLoss(recorder, { seed, dropSyncs });
  await disk.writeTo(folder.path);
  const promised = new Set(disk.promised);
  const store = await openFileSystemBlobs({ folder: folder.path });
  const lost: string[] = [];
  for (const [key, data] of blobs) {
    const found = await read(store, key);
    if (found && !found.equals(data)) lost.push(`half of ${key}`);
    if (promised.has(`deleted ${key}`) && found) lost.push(`deleted ${key}`);
    if (promised.has(`put ${key}`) && !promised.has(`deleting ${key}`) && !found)
      lost.push(`put ${key}`);
  }
  return lost;
}

test("after a power loss every acknowledged blob is there whole, and every deleted one gone", async () => {
  const recording = await recorded();
  for (let seed = 0; seed < 150; seed++)
    expect(await broken(recording, seed, false), `seed ${seed}`).toEqual([]);
}, 60_000);

test("the same test sees the loss where syncs are ignored", async () => {
  const recording = await recorded();
  let lost = 0;
  for (let seed = 0; seed < 30; seed++)
    lost += (await broken(recording, seed, true).catch(() => ["the store"])).length;
  expect(lost).toBeGreaterThan(0);
});

test("what an earlier life did not finish is cleaned up at the start", async () => {
  await using folder = await temporaryFolder();
  await openFileSystemBlobs({ folder: folder.path });
  await nodeFiles.writeFile(join(folder.path, "incoming", "7"), "half");
  await openFileSystemBlobs({ folder: folder.path });
  expect(await nodeFiles.readdir(join(folder.path, "incoming"))).toEqual([]);
});

test("a full disk refuses, keeps what was there, and takes the same blob when there is space", async () => {
  await using folder = await temporaryFolder();
  let full = false;
  const files: BlobFiles = {
    ...nodeFiles,
    async open(path, flags, mode) {
      const handle = await nodeFiles.open(path, flags, mode);
      if (!full || flags !== "w") return handle;
      handle.writeFile = async () => {
        throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      };
      return handle;
    },
  };
  const store = await openFileSystemBlobs({ folder: folder.path, files });
  await store.put("before", Buffer.from("kept"));
  full = true;
  await expect(store.put("more", Buffer.from("data"))).rejects.toMatchObject({ code: "FULL" });
  expect(await store.stat("more")).toBeUndefined();
  expect((await read(store, "before"))?.toString()).toBe("kept");
  expect(await nodeFiles.readdir(join(folder.path, "incoming"))).toEqual([]);
  full = false;
  await store.put("more", Buffer.from("data"));
  expect((await read(store, "more"))?.toString()).toBe("data");
});

test("a folder of a newer version is refused with a clear line", async () => {
  await using folder = await temporaryFolder();
  await openFileSystemBlobs({ folder: folder.path });
  await nodeFiles.writeFile(join(folder.path, "format"), "2\n");
  await expect(openFileSystemBlobs({ folder: folder.path })).rejects.toThrow(/newer version/);
});
