import { ManualClock } from "@sotto/clock";
import { expect, test } from "vitest";
import { CallBudget } from "./call-budget.ts";

const minuteMs = 60 * 1000;

test("each pair has its own bucket, which fills again evenly and never over its size", async () => {
  const clock = new ManualClock();
  const budget = new CallBudget({ clock, perHour: 2, pairsMax: 10 });
  const take = (pair: string) => budget.take(pair);
  expect(["a", "a", "a", "b"].map(take)).toEqual([true, true, false, true]);
  await clock.advance(29 * minuteMs);
  expect(take("a")).toBe(false);
  await clock.advance(minuteMs);
  expect([take("a"), take("a")]).toEqual([true, false]);
  await clock.advance(600 * minuteMs);
  expect(["a", "a", "a"].map(take)).toEqual([true, true, false]);
});

test("so many pairs are remembered; the one used longest ago is forgotten", () => {
  const budget = new CallBudget({ clock: new ManualClock(), perHour: 1, pairsMax: 2 });
  const take = (pair: string) => budget.take(pair);
  expect(["a", "b", "a", "c"].map(take)).toEqual([true, true, false, true]);
  expect(take("a")).toBe(false);
  expect(take("b")).toBe(true);
});
