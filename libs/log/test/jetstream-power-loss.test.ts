import { randomBytes } from "node:crypto";
import { systemClock } from "@sotto/clock";
import {
  describeWithTrace,
  natsServer,
  type Recording,
  simulatePowerLoss,
  traceFiles,
} from "@sotto/testkit";
import { expect, test } from "vitest";
import { openJetStreamLog } from "../src/jetstream.ts";
import { parseTopic } from "../src/topic.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const topic = parseTopic("0123456789abcdef");
const options = { clock: systemClock, streams: 1, timeoutMs: 20_000 };
const seeds = Array.from({ length: 20 }, (_, seed) => seed);

/** What the server acknowledged, by sequence, as it left for the client. */
function acknowledged(text: string): readonly string[] {
  return [...text.matchAll(/\{"stream":"SOTTO_LOG_0",\s?"seq":(\d+)/g)].map(([, seq = ""]) => seq);
}

/** Runs a server under a trace and appends to it, message by message and in batches. */
async function record(syncInterval: string): Promise<{ recording: Recording; texts: string[] }> {
  await using folder = await temporaryFolder();
  await using trace = await traceFiles({ folder: folder.path, marksOf: acknowledged });
  const texts: string[] = [];
  {
    await using server = await natsServer({
      syncInterval,
      storeFolder: folder.path,
      under: trace.under,
    });
    await using log = await openJetStreamLog({ ...options, server: server.url });
    const append = async (text: string) => {
      const data = Buffer.from(text);
      const key = randomBytes(32).toString("hex");
      const { position } = await log.append({ topic, kind: "m", key, expectHandshake: 0, data });
      texts[position.sequence] = text;
    };
    for (let round = 0; round < 15; round++) {
      const size = round % 3 === 0 ? 1 : 10;
      await Promise.all(Array.from({ length: size }, (_, index) => append(`${round}/${index}`)));
    }
  }
  return { recording: await trace.recording(), texts };
}

/** The acknowledged records that a server on the disk after the loss does not have. */
async function missing(
  { recording, texts }: Awaited<ReturnType<typeof record>>,
  seed: number,
  at?: number,
): Promise<readonly string[]> {
  await using folder = await temporaryFolder();
  const instant = at === undefined ? {} : { at };
  const disk = simulatePowerLoss(recording, { seed, names: "with-file", ...instant });
  await disk.writeTo(folder.path);
  const last = Math.max(0, ...disk.promised.map(Number));
  await using server = await natsServer({ storeFolder: folder.path });
  await using log = await openJetStreamLog({ ...options, server: server.url });
  const records = await log.read({ topic, after: 0, limit: 1000 });
  const there = new Map(records.map((each) => [each.sequence as number, textOf(each.data)]));
  return texts.filter((text, sequence) => sequence <= last && there.get(sequence) !== text);
}

function textOf(data: Uint8Array): string {
  return Buffer.from(data).toString();
}

await describeWithTrace("JetStream after a power loss", () => {
  test("has every acknowledged record with sync_interval always", { timeout: 90_000 }, async () => {
    const recorded = await record("always");
    expect(recorded.texts.filter(Boolean)).toHaveLength(105);
    for (const seed of seeds) expect(await missing(recorded, seed), `seed ${seed}`).toEqual([]);
    const end = recorded.recording.operations.length;
    expect(await missing(recorded, 1, end)).toEqual([]);
  });

  test("has lost some with the server's default interval", { timeout: 90_000 }, async () => {
    const recorded = await record("2m");
    const end = recorded.recording.operations.length;
    let lost = 0;
    for (const seed of seeds) lost += (await missing(recorded, seed, end)).length;
    expect(lost).toBeGreaterThan(0);
  });
});
