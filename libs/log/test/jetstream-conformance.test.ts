import { randomBytes } from "node:crypto";
import { systemClock } from "@sotto/clock";
import { describeWithNats } from "@sotto/testkit";
import { describeLog } from "../src/conformance.ts";
import { openJetStreamLog } from "../src/jetstream.ts";

await describeWithNats("JetStream", (url) => {
  // One log for the suite, as in production, where many topics share its streams.
  const name = `T${randomBytes(6).toString("hex")}`;
  describeLog("the JetStream log", async () => {
    const log = await openJetStreamLog({ server: url, clock: systemClock, name, streams: 2 });
    return { log, [Symbol.asyncDispose]: () => log[Symbol.asyncDispose]() };
  });
});
