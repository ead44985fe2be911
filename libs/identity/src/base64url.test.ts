import fc from "fast-check";
import { expect, test } from "vitest";
import { fromBase64Url, toBase64Url } from "./base64url.ts";

test("bytes come back as they were, in the alphabet of RFC 4648 section 5", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = toBase64Url(bytes);
      expect(text).toBe(Buffer.from(bytes).toString("base64url"));
      expect(fromBase64Url(text)).toEqual(bytes);
    }),
  );
  const large = new Uint8Array(100_000).fill(251);
  expect(fromBase64Url(toBase64Url(large))).toEqual(large);
});

test("a text that is not the one encoding of some bytes is refused", () => {
  for (const text of ["A", "AA=", "AA==", "A+", "A/", "AB", "A A", "AA\n", "é"])
    expect(() => fromBase64Url(text), text).toThrow(RangeError);
});
