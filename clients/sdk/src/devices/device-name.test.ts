import { limits } from "@sotto/protocol";
import { expect, test } from "vitest";
import { cleanDeviceName } from "./device-name.ts";

test("a device's name is one line of bounded length, whatever the machine is called", () => {
  expect(cleanDeviceName("alice's laptop")).toBe("alice's laptop");
  expect(cleanDeviceName("  two\nlines\t")).toBe("two lines");
  expect(cleanDeviceName("a\u{202e}b\u0000c\ud800")).toBe("a b c\ufffd");
  for (const nothing of ["", " \n", "\u200b"]) expect(cleanDeviceName(nothing)).toBe("device");
  const long = cleanDeviceName("é😀".repeat(40));
  expect(new TextEncoder().encode(long).length).toBeLessThanOrEqual(limits.nameBytesMax);
  expect(long.isWellFormed()).toBe(true);
  expect(cleanDeviceName(long)).toBe(long);
});
