import { ManualClock } from "@sotto/clock";
import { generateEd25519, signerFromSeed } from "@sotto/identity";
import { parseDeviceId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { allChecks } from "../checks.ts";
import type { Transport } from "../ports/transport.ts";
import { Session, type SessionEvents } from "./session.ts";

const nothing: SessionEvents = {
  event() {},
  record() {},
  greeted: async () => false,
  online: async () => {},
  offline() {},
  refused(error) {
    throw error;
  },
};

/** Takes every connection and says nothing on it, as where a balancer gave it to an edge that died. */
function silent(clock: ManualClock, greets: boolean): { transport: Transport; begun: number[] } {
  const begun: number[] = [];
  const transport: Transport = {
    async connect(_address, { closed }, signal) {
      begun.push(clock.monotonic());
      if (!greets)
        await new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
        );
      return {
        binding: { kind: "origin", origin: "https://sotto.test" },
        peerKeySha256: undefined,
        send: () => true,
        close: () => closed("closed"),
      };
    },
  };
  return { transport, begun };
}

test.each([
  ["does not finish the handshake", false],
  ["takes the connection and does not greet", true],
])(
  "a server that %s is left for another try: soon at first, then with patience",
  async (_, greets) => {
    const clock = new ManualClock();
    const { transport, begun } = silent(clock, greets);
    const { seed } = await generateEd25519();
    const session = new Session(
      {
        transport,
        address: { host: "sotto.test", port: 7443 },
        serverKeySha256: new Uint8Array(32),
        device: parseDeviceId("d".repeat(32)),
        authKey: await signerFromSeed(seed),
        clock,
        random: () => 0,
        checks: allChecks,
        quiet: () => false,
      },
      nothing,
    );
    const ready = session.ready(20_000);
    ready.catch(() => {});
    session.start();
    await clock.advance(30_000);
    expect(begun).toEqual([0, 3000, 6000, 12_000, 22_000]);
    await expect(ready).rejects.toMatchObject({
      code: "NOT_REACHABLE",
      message: "no answer from sotto.test:7443 within 6 s",
    });
    const ended = session[Symbol.asyncDispose]();
    await clock.advance(0);
    await ended;
  },
);
