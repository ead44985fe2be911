import { expect, test } from "vitest";
import { parseIncarnation, parseKey, parseKind, parseSequence, parseTopic } from "./topic.ts";

test("names and numbers from outside are taken only in their one form", () => {
  for (const bad of ["", "abcdefg", "ABCDEF01", "0".repeat(65), "0123456.", "01234567\n"]) {
    expect(() => parseTopic(bad), bad).toThrow(RangeError);
  }
  expect(parseTopic("01234567")).toBe("01234567");
  for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
    expect(() => parseSequence(bad), `${bad}`).toThrow(RangeError);
  }
  expect(parseSequence(1)).toBe(1);
  expect(() => parseIncarnation("0".repeat(31))).toThrow(RangeError);
  expect(() => parseKey("0".repeat(65))).toThrow(RangeError);
  expect(() => parseKind("x")).toThrow(RangeError);
});
