import { ManualClock } from "@sotto/clock";
import { describeLog } from "../src/conformance.ts";
import { openSegmentLog } from "../src/segment.ts";
import { temporaryFolder } from "./temporary-folder.ts";

describeLog("the segment log", async () => {
  const folder = await temporaryFolder();
  const clock = new ManualClock();
  const log = await openSegmentLog({ folder: folder.path, clock, segmentBytesMax: 4096 });
  return {
    log,
    advance: (ms) => clock.advance(ms),
    async [Symbol.asyncDispose]() {
      await log[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
});
