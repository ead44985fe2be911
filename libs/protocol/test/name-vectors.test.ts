import { describe, expect, it } from "vitest";
import { ErrorCode, foldName } from "../src/index.ts";
import { readVectors, type Vector } from "./vector-file.ts";

interface NameVector extends Vector {
  readonly input: string;
  readonly expect: { readonly name: string } | { readonly error: string };
}

describe("names.json", () => {
  it.each(readVectors<NameVector>("names.json"))("$title", ({ input, expect: expected }) => {
    if ("name" in expected) return expect(foldName(input)).toBe(expected.name);
    expect(() => foldName(input)).toThrow(
      expect.objectContaining({ code: ErrorCode[expected.error as "NAME_INVALID"] }),
    );
  });
});
