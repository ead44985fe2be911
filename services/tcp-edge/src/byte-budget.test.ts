import { expect, it } from "vitest";
import { ByteBudget } from "./byte-budget.ts";

it("an owner gets no more than its share, and all together no more than there is", () => {
  const budget = new ByteBudget<string>(10, 4);
  expect(budget.take("a", 3)).toBe(true);
  expect(budget.take("a", 2)).toBe(false);
  expect(budget.take("a", 1)).toBe(true);
  expect(budget.take("b", 4)).toBe(true);
  expect(budget.take("c", 3)).toBe(false);
  expect(budget.take("c", 2)).toBe(true);
  budget.give("a", 3);
  expect(budget.takenBytes).toBe(7);
  expect(budget.take("a", 3)).toBe(true);
});
