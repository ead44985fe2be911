import { ManualClock } from "@sotto/clock";
import { describeLog, describeLogWindow, type TimedLogUnderTest } from "../src/conformance.ts";
import { openSegmentLog } from "../src/segment.ts";
import { temporaryFolder } from "./temporary-folder.ts";

async function open(): Promise<TimedLogUnderTest> {
  const folder = await temporaryFolder();
  const clock = new ManualClock();
  const log = await openSegmentLog({ folder: folder.path, clock, segmentBytesMax: 4096 });
  return {
    log,
    advance: (ms: number) => clock.advance(ms),
    async [Symbol.asyncDispose]() {
      await log[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describeLog("the segment log", open);
describeLogWindow("the segment log", open);
