import { describe, expect, it } from "vitest";
import { CloseCode, ErrorCode, errorName, Retry, reconnects, retryOf } from "../src/index.ts";
import { readVectorFile } from "./vector-file.ts";

interface Entry<Expected> {
  readonly name: string;
  readonly code: number;
  readonly expect: Expected;
}

const { errors, closeCodes } = readVectorFile<{
  readonly errors: readonly Entry<{ readonly retry: string }>[];
  readonly closeCodes: readonly Entry<{ readonly reconnects: boolean }>[];
}>("errors.json");

/** The numbers of an enum, without 0, which no peer sends. */
function codesOf(codes: Readonly<Record<string, string | number>>): number[] {
  return Object.values(codes).filter((code) => typeof code === "number" && code !== 0) as number[];
}

describe("errors.json", () => {
  it.each(errors)("error $name is $code", ({ name, code, expect: expected }) => {
    expect(errorName(code)).toBe(name);
    expect(Retry[retryOf(code)]).toBe(expected.retry.toUpperCase());
  });

  it.each(closeCodes)("close code $name is $code", ({ name, code, expect: expected }) => {
    expect(CloseCode[code]).toBe(name);
    expect(reconnects(code)).toBe(expected.reconnects);
  });

  it("holds every code", () => {
    expect(errors.map(({ code }) => code)).toEqual(codesOf(ErrorCode));
    expect(closeCodes.map(({ code }) => code)).toEqual(codesOf(CloseCode));
  });
});
