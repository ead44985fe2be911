import { expect, it } from "vitest";
import { originOf } from "./origin.ts";

it("an origin must name the host that the request was sent to", () => {
  expect(originOf("https://chat.example", "chat.example", undefined)).toBe("https://chat.example");
  expect(originOf("https://chat.example:443", "chat.example", undefined)).toBeDefined();
  expect(originOf("https://[::1]:7443", "[::1]:7443", undefined)).toBeDefined();
  expect(originOf("https://evil.example", "chat.example", undefined)).toBeUndefined();
  expect(originOf(undefined, "chat.example", undefined)).toBeUndefined();
  expect(originOf("null", "chat.example", undefined)).toBeUndefined();
});

it("with a list, only an origin of the list may come, whatever the host", () => {
  const allowed = ["https://web.example"];
  expect(originOf("https://web.example", "chat.example", allowed)).toBe("https://web.example");
  expect(originOf("https://chat.example", "chat.example", allowed)).toBeUndefined();
});
