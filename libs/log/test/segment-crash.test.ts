import { spawn } from "node:child_process";
import { once } from "node:events";
import { systemClock } from "@sotto/clock";
import { recordFiles, simulatePowerLoss } from "@sotto/testkit";
import { describe, expect, test } from "vitest";
import { type Log, LogError } from "../src/index.ts";
import { openSegmentLog } from "../src/segment.ts";
import { parseTopic } from "../src/topic.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const topics = ["aaaaaaaa", "bbbbbbbb", "cccccccc"].map(parseTopic);

async function stored(log: Log): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for await (const topic of log.topics()) {
    let after = 0;
    for (;;) {
      const records = await log.read({ topic, after, limit: 1000 });
      for (const { data } of records)
        keys.add(Buffer.from(data).toString("latin1").split(" ")[0] ?? "");
      const last = records.at(-1);
      if (!last) break;
      after = last.sequence;
    }
  }
  return keys;
}

test("every append that a killed process had acknowledged is there", {
  timeout: 30_000,
}, async () => {
  await using folder = await temporaryFolder();
  for (let round = 0; round < 3; round++) {
    const writer = new URL("segment-writer-process.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, [writer, folder.path, `${round}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.length > 20_000) child.kill("SIGKILL");
    });
    await once(child, "close");
    const acknowledged = said.split("\n").slice(0, -1);
    expect(acknowledged.length).toBeGreaterThan(1000);
    await using log = await openSegmentLog({ folder: folder.path, clock: systemClock });
    const there = await stored(log);
    expect(acknowledged.filter((key) => !there.has(key))).toEqual([]);
  }
});

describe("after a power loss", () => {
  /** Appends in bursts, with segments small enough to roll often, and removes a topic midway. */
  async function record() {
    const folder = await temporaryFolder();
    const recorder = recordFiles(folder.path);
    const { files } = recorder;
    await using log = await openSegmentLog({
      folder: folder.path,
      clock: systemClock,
      files,
      segmentBytesMax: 8192,
    });
    let count = 0;
    const append = async () => {
      const key = (count++).toString(16).padStart(8, "0");
      const topic = topics[count % topics.length] ?? topics[0] ?? parseTopic("");
      const data = Buffer.from(`${key} ${"x".repeat((count * 37) % 900)}`);
      await log.append({ topic, kind: "m", key, expectHandshake: 0, data });
      recorder.mark(key);
    };
    for (let burst = 0; burst < 25; burst++) {
      await Promise.all(Array.from({ length: 1 + (burst % 12) }, append));
    }
    const gone = parseTopic("dddddddd");
    const record = {
      topic: gone,
      kind: "m",
      expectHandshake: 0,
      data: Buffer.from("gone"),
    } as const;
    await log.append({ ...record, key: "dd" });
    await log.remove(gone);
    recorder.mark("removed");
    await Promise.all(Array.from({ length: 20 }, append));
    await folder[Symbol.asyncDispose]();
    return recorder;
  }

  async function missing(
    recorder: Awaited<ReturnType<typeof record>>,
    seed: number,
    dropSyncs: boolean,
  ) {
    await using folder = await temporaryFolder();
    const disk = simulatePowerLoss(recorder, { seed, dropSyncs });
    await disk.writeTo(folder.path);
    await using log = await openSegmentLog({ folder: folder.path, clock: systemClock });
    const there = new Set([...(await stored(log)), "removed"]);
    if (disk.promised.includes("removed") && there.has("gone")) return ["a removed topic is back"];
    // It must be of use afterwards too.
    const topic = parseTopic("eeeeeeee");
    await log.append({ topic, kind: "m", key: "ee", expectHandshake: 0, data: Buffer.from("e") });
    return disk.promised.filter((key) => !there.has(key));
  }

  test("every acknowledged record is there, at any instant", { timeout: 60_000 }, async () => {
    const recorder = await record();
    for (let seed = 0; seed < 150; seed++) {
      expect(await missing(recorder, seed, false), `seed ${seed}`).toEqual([]);
    }
  });

  test("records are missing or damage is seen when syncs do nothing", {
    timeout: 60_000,
  }, async () => {
    const recorder = await record();
    let losses = 0;
    for (let seed = 0; seed < 40; seed++) {
      try {
        losses += (await missing(recorder, seed, true)).length;
      } catch (error) {
        if (!(error instanceof LogError) || error.code !== "CORRUPT") throw error;
        losses++;
      }
    }
    expect(losses).toBeGreaterThan(0);
  });
});
