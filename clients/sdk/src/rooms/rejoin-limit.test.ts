import { expect, test } from "vitest";
import { rejoinWaitMs } from "./rejoin-limit.ts";

const minuteMs = 60_000;
const now = 1_000 * minuteMs;

test("a device comes back three times within an hour, and then waits for the first to be past", () => {
  expect(rejoinWaitMs([], now)).toBe(0);
  expect(rejoinWaitMs([now - 2 * minuteMs, now - minuteMs], now)).toBe(0);
  const three = [now - 50 * minuteMs, now - 2 * minuteMs, now - minuteMs];
  expect(rejoinWaitMs(three, now)).toBe(10 * minuteMs);
  expect(rejoinWaitMs([now - 61 * minuteMs, ...three.slice(1)], now)).toBe(0);
});

test("a clock that was set back does not lock a device out", () => {
  const ahead = [now + minuteMs, now + 2 * minuteMs, now + 3 * minuteMs];
  expect(rejoinWaitMs(ahead, now)).toBe(0);
});
