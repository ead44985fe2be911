import { create, toBinary } from "@bufbuild/protobuf";
import { ManualClock } from "@sotto/clock";
import { generateEd25519, signerFromSeed } from "@sotto/identity";
import {
  CloseCode,
  CloseSchema,
  ErrorCode,
  encodeFrame,
  FrameType,
  HelloSchema,
  parseDeviceId,
  ResponseSchema,
  SottoError,
  toErrorMessage,
} from "@sotto/protocol";
import { expect, test } from "vitest";
import { allChecks } from "../checks.ts";
import { SottoClientError } from "../errors.ts";
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

/** Refuses every login, with its reason or without one; reason and end come together. */
function refusing(answers: boolean): Transport {
  const hello = create(HelloSchema, { serverKey: new Uint8Array(32), nonce: new Uint8Array(32) });
  const refused = toErrorMessage(new SottoError(ErrorCode.BAD_SIGNATURE, "the login was refused"));
  const answer = create(ResponseSchema, { body: { case: "error", value: refused } });
  const close = create(CloseSchema, { code: CloseCode.AUTHENTICATION_FAILED, message: "refused" });
  return {
    async connect(_address, { data, closed }) {
      data(encodeFrame(FrameType.hello, 0, toBinary(HelloSchema, hello)));
      return {
        binding: { kind: "origin", origin: "https://sotto.test" },
        peerKeySha256: undefined,
        send() {
          const frames = [encodeFrame(FrameType.close, 0, toBinary(CloseSchema, close))];
          if (answers)
            frames.unshift(encodeFrame(FrameType.response, 1, toBinary(ResponseSchema, answer)));
          queueMicrotask(() => data(Buffer.concat(frames)));
          return true;
        },
        close: () => closed("closed"),
      };
    },
  };
}

test.each([
  ["says why", true, "UNFINISHED"],
  ["says nothing", false, "REFUSED"],
])(
  "a server that refuses the login and %s is asked no more, and what is known of it is told",
  async (_, answers, code) => {
    const { seed } = await generateEd25519();
    const told: unknown[] = [];
    const clock = new ManualClock();
    await using session = new Session(
      {
        transport: refusing(answers),
        address: { host: "sotto.test", port: 7443 },
        serverKeySha256: new Uint8Array(32),
        device: parseDeviceId("d".repeat(32)),
        authKey: await signerFromSeed(seed),
        clock,
        random: () => 0,
        checks: { ...allChecks, serverPin: false },
        quiet: () => false,
        unknown: async (cause) => new SottoClientError("UNFINISHED", "known", { cause }),
      },
      { ...nothing, refused: (error) => told.push(error) },
    );
    const ready = session.ready(20_000);
    session.start();
    await expect(ready).rejects.toMatchObject({ code });
    expect(told).toMatchObject([{ code }]);
  },
);
