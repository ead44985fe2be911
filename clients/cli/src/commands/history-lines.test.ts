import { expect, test } from "vitest";
import { Output } from "../output.ts";
import { describe } from "./history-lines.ts";

const output = new Output({ json: false, colour: false });
const clear = "\u001b[2J\n";

test("names that others chose stay in their place of the line", () => {
  const entry = { roomName: `plans${clear}`, sender: "bob", at: 0, object: "ab", bytes: 1 };
  const lines = [
    { ...entry, type: "message", text: "hello" },
    { ...entry, type: "media", name: `film${clear}` },
    {
      ...entry,
      type: "keys-changed",
      user: "bob",
      change: "device-added",
      deviceName: `phone${clear}`,
      by: { kind: "device", user: "bob", name: `laptop${clear}` },
    },
  ];
  for (const line of lines) {
    const shown = describe(output, line);
    expect(shown).toContain("[plans�[2J�]");
    expect(shown).not.toMatch(/\p{Cc}/u);
  }
  expect(describe(output, { ...entry, type: "message", text: "two\nlines" })).toContain(
    "bob: two\nlines",
  );
});
