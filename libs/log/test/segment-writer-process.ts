import { systemClock } from "@sotto/clock";
import { openSegmentLog } from "../src/segment.ts";
import { parseTopic } from "../src/topic.ts";

// Appends until it is killed, 32 at once, and prints each key when its append was acknowledged.
const [folder = "", round = ""] = process.argv.slice(2);
const log = await openSegmentLog({ folder, clock: systemClock, segmentBytesMax: 256 * 1024 });
let count = 0;
const append = async () => {
  for (;;) {
    const key = `${round}${(count++).toString(16).padStart(8, "0")}`;
    const topic = parseTopic(`0000000${count % 5}`);
    const data = Buffer.from(`${key} ${"x".repeat(count % 500)}`);
    await log.append({ topic, kind: "m", key, expectHandshake: 0, data });
    process.stdout.write(`${key}\n`);
  }
};
await Promise.all(Array.from({ length: 32 }, append));
