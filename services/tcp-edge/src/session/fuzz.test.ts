import {
  type CloseCode,
  ErrorCode,
  FrameDecoder,
  FrameError,
  parseRoomId,
  parseUserId,
} from "@sotto/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { arbitraryBytes, arbitraryFrame } from "../../test/arbitrary-frame.ts";
import { edgeLimits } from "../edge-limits.ts";
import type { Effect } from "./effect.ts";
import type { DeviceFacts, Input } from "./input.ts";
import { refusal } from "./response-body.ts";
import { newSession, type Session } from "./session.ts";
import { step } from "./step.ts";

const limits = edgeLimits({
  requestsInFlightMax: 6,
  requestsInFlightBeforeLoginMax: 3,
  mediaStreamsMax: 3,
  subscriptionsMax: 3,
  frameBytesBeforeLoginMax: 2048,
  requestsBeforeLoginMax: 5,
  framesBeforeLoginMax: 30,
});
const facts: DeviceFacts = {
  user: parseUserId("11".repeat(16)),
  authKey: new Uint8Array(32),
  revoked: false,
  disabled: false,
  directorySize: 1n,
  keyPackagesLeft: 1,
};

/** Results that could come back at any time, whether anybody waits for them or not. */
const arbitraryResult: fc.Arbitrary<Input> = fc.oneof(
  fc.record({
    kind: fc.constant("answered" as const),
    stream: fc.integer({ min: 0, max: 8 }),
    body: fc.constantFrom(
      { case: "done" as const, value: {} },
      { case: "subscribed" as const, value: {} },
      { case: "objectOpened" as const, value: {} },
      refusal(ErrorCode.UNAVAILABLE, "no"),
    ),
  }),
  fc.record({
    kind: fc.constant("interrupted" as const),
    room: fc.constant(parseRoomId("03".repeat(16))),
    code: fc.constant(ErrorCode.UNAVAILABLE),
  }),
  fc.record({
    kind: fc.constant("downloadEnded" as const),
    stream: fc.integer({ min: 0, max: 8 }),
    code: fc.constant(ErrorCode.INTERNAL),
  }),
  fc.constant({ kind: "loginUnavailable" as const }),
);

const arbitraryAction = fc.oneof(
  { weight: 6, arbitrary: arbitraryFrame.map((bytes) => ({ bytes })) },
  { weight: 1, arbitrary: arbitraryBytes.map((bytes) => ({ bytes })) },
  { weight: 2, arbitrary: arbitraryResult.map((input) => ({ input })) },
);

/** Results of a login's effects, by the fuzzer's choice of how it goes. */
function resultOf(effect: Effect, valid: boolean): Input | undefined {
  if (effect.kind === "lookUpDevice") return { kind: "deviceFound", facts };
  if (effect.kind === "verify") return { kind: "verified", facts, valid };
  if (effect.kind === "admit") return { kind: "admitted", facts, tooMany: false };
  return undefined;
}

function checkBounds(session: Session): void {
  expect(session.strangerRequests).toBeLessThanOrEqual(limits.requestsBeforeLoginMax);
  expect(session.strangerFrames).toBeLessThanOrEqual(limits.framesBeforeLoginMax);
  const { requestsInFlightMax, requestsInFlightBeforeLoginMax } = limits;
  const most = session.phase === "ready" ? requestsInFlightMax : requestsInFlightBeforeLoginMax;
  expect(session.requests.size).toBeLessThanOrEqual(most);
  expect(session.subscriptions.size).toBeLessThanOrEqual(limits.subscriptionsMax);
  expect(session.uploads.size + session.downloads.size).toBeLessThanOrEqual(limits.mediaStreamsMax);
}

it("no bytes and no results make the decoder or the session throw, answer twice or pass a bound", () => {
  let reachedReady = 0;
  fc.assert(
    fc.property(
      fc.array(arbitraryAction, { maxLength: 60 }),
      fc.integer({ min: 1, max: 64 }),
      fc.boolean(),
      (actions, chunkBytes, valid) => {
        const decoder = new FrameDecoder({ frameBytesMax: limits.frameBytesBeforeLoginMax });
        const session = newSession({
          limits,
          serverKey: new Uint8Array(32),
          nonce: new Uint8Array(32),
          binding: new Uint8Array([1]),
        });
        const closes: CloseCode[] = [];
        const run = (input: Input) => {
          const open = session.phase !== "closing";
          for (const effect of step(session, input)) {
            expect(open).toBe(true);
            if (effect.kind === "close") closes.push(effect.code);
            if (effect.kind === "loggedIn") decoder.raiseLimit(limits.frameBytesMax);
            const result = resultOf(effect, valid);
            if (result) run(result);
          }
          if (session.phase === "ready") reachedReady += 1;
          checkBounds(session);
        };
        for (const action of actions) {
          if ("input" in action) {
            run(action.input);
            continue;
          }
          for (let at = 0; at < action.bytes.length; at += chunkBytes) {
            try {
              const chunk = action.bytes.subarray(at, at + chunkBytes);
              for (const frame of decoder.push(chunk)) run({ kind: "frame", frame, atMs: 0 });
            } catch (error) {
              if (!(error instanceof FrameError)) throw error;
              run({ kind: "unreadable", tooLarge: error.code === "FRAME_TOO_LARGE" });
            }
          }
        }
        expect(closes.length).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: 300 },
  );
  expect(reachedReady).toBeGreaterThan(0);
});
