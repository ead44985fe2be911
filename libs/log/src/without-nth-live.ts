import type { Log } from "./log.ts";

/** The same log, but the `n`th live record (from 0) of each subscription is never delivered. */
export function withoutNthLive(log: Log, n: number): { log: Log; wasDropped: () => boolean } {
  let dropped = false;
  const lossy: Log = {
    append: (request) => log.append(request),
    read: (request) => log.read(request),
    head: (topic) => log.head(topic),
    topics: () => log.topics(),
    remove: (topic) => log.remove(topic),
    [Symbol.asyncDispose]: async () => {},
    live(topic, deliver) {
      let count = 0;
      return log.live(topic, (record) => {
        if (count++ === n) dropped = true;
        else deliver(record);
      });
    },
  };
  return { log: lossy, wasDropped: () => dropped };
}
