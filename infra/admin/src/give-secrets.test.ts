import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartError } from "@sotto/chassis";
import { expect, onTestFinished, test } from "vitest";
import { giveSecrets } from "./give-secrets.ts";

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "sotto-secrets-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

async function contents(path: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const part of await readdir(path))
    for (const name of await readdir(join(path, part)))
      files[`${part}/${name}`] = await readFile(join(path, part, name), "utf8");
  return files;
}

test("secrets are made once, for their owner alone, and each part gets its own", async () => {
  const path = await folder();
  const first = await giveSecrets(path);
  expect(first.kept).toEqual([]);
  const files = await contents(path);
  expect(Object.keys(files).filter((name) => !name.startsWith("secrets/"))).toEqual([
    "keyserver/nats-password",
    "keyserver/redis-password",
    "media/media-token",
    "media/nats-password",
    "nats/accounts.conf",
    "presence/nats-password",
    "redis/users.acl",
    "tcp-edge/media-token",
    "tcp-edge/nats-password",
  ]);
  expect(files["media/media-token"]).toBe(files["tcp-edge/media-token"]);
  const passwords = ["keyserver", "media", "presence", "tcp-edge"].map(
    (part) => files[`${part}/nats-password`],
  );
  expect(new Set(passwords).size).toBe(4);
  for (const name of Object.keys(files))
    expect((await stat(join(path, name))).mode & 0o777, name).toBe(0o600);
  // Redis is told hashes only.
  expect(files["redis/users.acl"]).not.toContain(files["keyserver/redis-password"]?.trim());
  const again = await giveSecrets(path);
  expect(again).toEqual({ made: [], kept: first.made });
  expect(await contents(path)).toEqual(files);
});

test("what a part lost is given again, as it was", async () => {
  const path = await folder();
  await giveSecrets(path);
  const before = await contents(path);
  await rm(join(path, "nats"), { recursive: true });
  await giveSecrets(path);
  expect(await contents(path)).toEqual(before);
});

test("a folder that cannot be written is told in one line", async () => {
  await expect(giveSecrets("/proc/nowhere")).rejects.toThrow(StartError);
  await expect(giveSecrets(import.meta.filename)).rejects.toThrow(/\(ENOTDIR\)/);
});
