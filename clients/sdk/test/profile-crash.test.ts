import { spawn } from "node:child_process";
import { once } from "node:events";
import { describeWithTrace, recordProcess, simulatePowerLoss } from "@sotto/testkit";
import { expect, test } from "vitest";
import { ProfileKey, SqliteStore } from "../src/node.ts";
import { profileFolder } from "./profile-folder.ts";

const writer = new URL("profile-writer.ts", import.meta.url).pathname;
const passphrase = "correct horse battery";
const node = [process.execPath, "--disable-warning=ExperimentalWarning", writer];

async function open(folder: string): Promise<SqliteStore> {
  if (ProfileKey.lockOf(folder) !== "passphrase") return new SqliteStore(folder);
  return new SqliteStore(folder, await ProfileKey.unlock(folder, Buffer.from(passphrase)));
}

const textOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();

/** What of the promised lines the profile in `folder` does not keep, and what is not of one piece. */
async function broken(folder: string, promised: readonly string[]): Promise<string[]> {
  await using store = await open(folder);
  const found = new Set<string>();
  for (const { value } of await store.scan("history", { limit: 100_000 }))
    found.add(`commit ${textOf(value)}`);
  if (ProfileKey.lockOf(folder) === "passphrase") found.add("passphrase");
  const missing = promised.filter((line) => !found.has(line));
  const cursor = textOf(await store.get("meta", "cursor"));
  const [entry] = await store.scan("history", { limit: 1, reverse: true });
  const state = textOf(await store.get("groups", "room"));
  if (textOf(entry?.value) !== cursor) missing.push("cursor and history differ");
  if (cursor !== undefined && state !== Buffer.alloc(9_000, `${cursor} `).toString())
    missing.push("state and cursor differ");
  if (cursor !== undefined && textOf(await store.get("history-index", `room/${cursor}`)) !== cursor)
    missing.push("index and cursor differ");
  return missing;
}

test("a killed process keeps every promise, and state, message and cursor are of one piece", {
  timeout: 60_000,
}, async () => {
  await using folder = await profileFolder();
  const promised: string[] = [];
  for (let round = 0; round < 4; round++) {
    const [file = "", ...args] = [...node, folder.path, passphrase];
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.length > 700 + round * 100) child.kill("SIGKILL");
    });
    await once(child, "close");
    promised.push(...said.split("\n").slice(0, -1));
  }
  expect(promised).toContain("passphrase");
  expect(promised.length).toBeGreaterThan(150);
  expect(await broken(folder.path, promised)).toEqual([]);
});

await describeWithTrace("a profile after a power loss", () => {
  test("every promise is kept, a change of key included; where syncs are ignored, some are not", {
    timeout: 180_000,
  }, async () => {
    await using traced = await profileFolder();
    const recording = await recordProcess(traced.path, [...node, traced.path, passphrase, "20"]);
    const lost = async (seed: number, dropSyncs: boolean): Promise<string[]> => {
      await using folder = await profileFolder();
      const disk = simulatePowerLoss(recording, { seed, dropSyncs });
      await disk.writeTo(folder.path);
      try {
        return await broken(folder.path, disk.promised);
      } catch (error) {
        // Without syncs the files themselves may be damaged: that is a loss too.
        if (!dropSyncs) throw error;
        return ["the profile"];
      }
    };
    for (let seed = 0; seed < 40; seed++)
      expect(await lost(seed, false), `seed ${seed}`).toEqual([]);
    let seen = 0;
    for (let seed = 0; seed < 15; seed++) seen += (await lost(seed, true)).length;
    expect(seen).toBeGreaterThan(0);
  });
});
