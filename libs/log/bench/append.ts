import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@sotto/clock";
import { natsServer } from "@sotto/testkit";
import { type Log, parseTopic, type Topic } from "../src/index.ts";
import { openJetStreamLog } from "../src/jetstream.ts";
import { openSegmentLog } from "../src/segment.ts";

// Appends of 1.1 KB with 1, 32 and 256 in flight: appends a second and this process's CPU per
// 1,000. Usage: node bench/append.ts [segment|jetstream] [folder]
const [adapter = "segment", parent = tmpdir()] = process.argv.slice(2);
const runMs = 3000;
const recordBytes = 1100;
const topics = Array.from({ length: 50 }, () => parseTopic(randomBytes(16).toString("hex")));
const keys = Array.from({ length: 300_000 }, () => randomBytes(32).toString("hex"));

/** Appends with `inFlight` outstanding for a time, and prints the figures. */
async function measure(log: Log, inFlight: number): Promise<void> {
  const data = randomBytes(recordBytes);
  const begin = performance.now();
  const cpu = process.cpuUsage();
  let count = 0;
  const appendInTurn = async (lane: number) => {
    const topic = topics[lane % topics.length] as Topic;
    while (performance.now() - begin < runMs) {
      const key = `${(count++).toString(16)}${keys[count % keys.length]}`.slice(0, 64);
      await log.append({ topic, kind: "m", key, expectHandshake: 0, data });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, lane) => appendInTurn(lane)));
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const rate = Math.round(count / seconds);
  const cpuMs = ((user + system) / count).toFixed(1);
  process.stdout.write(`${adapter} ${inFlight} in flight: ${rate}/s, ${cpuMs} ms CPU per 1,000\n`);
}

for (const inFlight of [1, 32, 256, 1024]) {
  const folder = await mkdtemp(join(parent, "sotto-bench-"));
  try {
    if (adapter === "segment") {
      await using log = await openSegmentLog({ folder, clock: systemClock });
      await measure(log, inFlight);
    } else {
      await using server = await natsServer({ storeFolder: folder });
      await using log = await openJetStreamLog({ server: server.url, clock: systemClock });
      await measure(log, inFlight);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
