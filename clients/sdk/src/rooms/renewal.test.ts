import { expect, test } from "vitest";
import { shouldRenew } from "./renewal.ts";

const dayMs = 24 * 3_600_000;
const at = 1_000 * dayMs;

test("keys are renewed after a week, with some spread", () => {
  const state = { renewed: { at, sent: 10 }, senderSequence: 20 };
  expect(shouldRenew(state, at + 7 * dayMs - 1, 0)).toBe(false);
  expect(shouldRenew(state, at + 7 * dayMs + 1, 0)).toBe(true);
  expect(shouldRenew(state, at + 7 * dayMs + 1, 1)).toBe(false);
  expect(shouldRenew(state, at + 8 * dayMs, 1)).toBe(true);
});

test("keys are renewed after 500 messages of one's own, but not every minute", () => {
  const state = { renewed: { at, sent: 10 }, senderSequence: 511 };
  expect(shouldRenew(state, at + 60_000, 0)).toBe(false);
  expect(shouldRenew(state, at + 601_000, 0)).toBe(true);
  expect(shouldRenew({ ...state, senderSequence: 510 }, at + 601_000, 0)).toBe(false);
});
