import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  fromHex,
  IdError,
  parseDeviceId,
  parseMessageId,
  parseObjectId,
  parseRoomId,
  parseUserId,
  toHex,
  toSafeNumber,
} from "./ids.ts";

describe("an identifier", () => {
  it.each([
    ["user", parseUserId, [16]],
    ["device", parseDeviceId, [16]],
    ["message", parseMessageId, [16]],
    ["room", parseRoomId, [16, 32]],
    ["object", parseObjectId, [16, 32]],
  ] as const)("of a %s has its lengths only, as bytes and as text", (_what, parse, lengths) => {
    for (let length = 0; length <= 33; length++) {
      const bytes = new Uint8Array(length).fill(0xab);
      if ((lengths as readonly number[]).includes(length)) {
        expect(parse(bytes)).toBe("ab".repeat(length));
        expect(parse("ab".repeat(length))).toBe("ab".repeat(length));
      } else {
        expect(() => parse(bytes)).toThrow(IdError);
        expect(() => parse("ab".repeat(length))).toThrow(IdError);
      }
    }
  });

  it.each(["AB", "0g", " a", "é1"])("is lower-case hex, not %j", (pair) => {
    expect(() => parseUserId(pair.repeat(16))).toThrow(IdError);
  });
});

it("bytes come back from their hex, and what is no hex is refused", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => void expect(fromHex(toHex(bytes))).toEqual(bytes)),
  );
  for (const text of ["a", "0x", "zz"]) expect(() => fromHex(text)).toThrow(IdError);
});

it("numbers of the wire are safe, or refused", () => {
  expect(toSafeNumber(2n ** 53n - 1n)).toBe(Number.MAX_SAFE_INTEGER);
  expect(() => toSafeNumber(2n ** 53n)).toThrow(IdError);
  expect(() => toSafeNumber(2n ** 64n - 1n)).toThrow(IdError);
  expect(() => toSafeNumber(-1n)).toThrow(IdError);
});
