import { describeWithNats } from "@sotto/testkit";
import { describeBus } from "../src/conformance.ts";
import { connectNatsBus } from "../src/nats.ts";

await describeWithNats("NATS", (url) => {
  describeBus("nats", async () => {
    const errors: unknown[] = [];
    const onError = (error: unknown) => void errors.push(error);
    const one = await connectNatsBus({ servers: url, onError });
    const other = await connectNatsBus({ servers: url, onError });
    return {
      one,
      other,
      errors,
      async [Symbol.asyncDispose]() {
        await one[Symbol.asyncDispose]();
        await other[Symbol.asyncDispose]();
      },
    };
  });
});
