import { describeMediaLink } from "./conformance.ts";
import { createInProcessMediaLink } from "./in-process.ts";

describeMediaLink(
  "in-process",
  async (handler) => {
    const { link, serve } = createInProcessMediaLink();
    const server = serve(handler);
    return {
      link,
      stopServer: async () => await server[Symbol.asyncDispose](),
      [Symbol.asyncDispose]: async () => await link[Symbol.asyncDispose](),
    };
  },
  0,
);
