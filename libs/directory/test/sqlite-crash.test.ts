import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  describeWithTrace,
  type Recording,
  recordProcess,
  simulatePowerLoss,
} from "@sotto/testkit";
import { expect, test } from "vitest";
import { openSqliteDirectory } from "../src/sqlite.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const writer = new URL("sqlite-writer.ts", import.meta.url).pathname;
const node = [process.execPath, "--disable-warning=ExperimentalWarning", writer];

/** Promises of a writer that the store in `folder` does not keep. */
async function broken(folder: string, promised: readonly string[]): Promise<string[]> {
  await using store = await openSqliteDirectory({ folder });
  const records = new Set<string>();
  for (let from = 0; ; from += 1000) {
    const page = await store.read(from, 1000);
    for (const { bytes } of page) records.add(Buffer.from(bytes).toString());
    if (page.length < 1000) break;
  }
  const left = new Set<string>();
  for (;;) {
    const claimed = await store.claimKeyPackage("d1");
    if (!claimed) break;
    left.add(`claimed ${Buffer.from(claimed.bytes).toString()}`);
  }
  // A record must be there; a package that was handed out must not be handed out again.
  return promised.filter((line) =>
    line.startsWith("record") ? !records.has(line) : left.has(line),
  );
}

test("a killed process keeps every promise: records stand, and no package is handed out twice", {
  timeout: 60_000,
}, async () => {
  await using folder = await temporaryFolder();
  const promised: string[] = [];
  for (let round = 0; round < 3; round++) {
    const [file = "", ...args] = [...node, folder.path];
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.length > 6000) child.kill("SIGKILL");
    });
    await once(child, "close");
    promised.push(...said.split("\n").slice(0, -1));
  }
  expect(promised.length).toBeGreaterThan(300);
  expect(await broken(folder.path, promised)).toEqual([]);
});

await describeWithTrace("SQLite after a power loss", () => {
  async function recording(): Promise<Recording> {
    await using folder = await temporaryFolder();
    return await recordProcess(folder.path, [...node, folder.path, "40"]);
  }

  async function lost(from: Recording, seed: number, dropSyncs: boolean): Promise<string[]> {
    await using folder = await temporaryFolder();
    const disk = simulatePowerLoss(from, { seed, dropSyncs });
    await disk.writeTo(folder.path);
    try {
      return await broken(folder.path, disk.promised);
    } catch (error) {
      // Without syncs the file itself may be damaged: that is a loss too.
      if (!dropSyncs) throw error;
      return ["the database"];
    }
  }

  test("every promise is kept; where syncs are ignored, some are not", {
    timeout: 120_000,
  }, async () => {
    const recorded = await recording();
    for (let seed = 0; seed < 25; seed++)
      expect(await lost(recorded, seed, false), `seed ${seed}`).toEqual([]);
    let seen = 0;
    for (let seed = 0; seed < 25; seed++) seen += (await lost(recorded, seed, true)).length;
    expect(seen).toBeGreaterThan(0);
  });
});
