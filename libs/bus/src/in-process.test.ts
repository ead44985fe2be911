import { describeBus } from "./conformance.ts";
import { createInProcessBus } from "./in-process.ts";

describeBus("in-process", async () => {
  const errors: unknown[] = [];
  const bus = createInProcessBus({ onError: (error) => errors.push(error) });
  return { one: bus, other: bus, errors, [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose]() };
});
