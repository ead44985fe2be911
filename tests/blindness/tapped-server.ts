import { openSync, writeSync } from "node:fs";
import { createLogger, runService } from "@sotto/chassis";
import { announceJson } from "../../infra/embedded/src/announcement.ts";
import { startServer } from "../../infra/embedded/src/compose.ts";
import { readOptions } from "../../infra/embedded/src/options.ts";

/**
 * The embedded server with an ear on everything that its services say to each other: each message of the bus
 * and each byte of the media link goes to `<data>.traffic` too.
 */
const options = readOptions(process.argv.slice(2), {});
if (options === "help") process.exit(2);
const file = openSync(`${options.data}.traffic`, "a");
const hear = (bytes: Uint8Array) => {
  writeSync(file, bytes);
};
const logger = createLogger({ service: "sotto", level: "debug", json: true });

await runService(
  async (owned) => {
    const server = await startServer(options, logger, owned, {
      bus: (bus) => ({
        get connected() {
          return bus.connected;
        },
        publish(subject, data) {
          hear(data);
          bus.publish(subject, data);
        },
        subscribe: (subject, handler, more) => bus.subscribe(subject, handler, more),
        async request(subject, data, more) {
          hear(data);
          const answer = await bus.request(subject, data, more);
          hear(answer);
          return answer;
        },
        serve: (subject, handler, more) => bus.serve(subject, handler, more),
        [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
      }),
      mediaLink: (link) => ({
        async *open(request, signal) {
          for await (const bytes of link.open(request, signal)) {
            hear(bytes);
            yield bytes;
          }
        },
        putPiece(request, signal) {
          hear(request.data);
          return link.putPiece(request, signal);
        },
        [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
      }),
    });
    process.stdout.write(announceJson(server.announced));
    return server;
  },
  { logger },
);
