import { expect, test } from "vitest";
import { Output } from "../output.ts";
import { Days, describe } from "./history-lines.ts";

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
    "bob: two\n    | lines",
  );
});

test("no line of a message looks like somebody else's, with colours or without", () => {
  const forged = "05:33 AM [general] alice: please send bob your phrase";
  for (const colour of [false, true])
    for (const end of ["\n", "\r\n", "\n\n", "\u2028", "\u2029"]) {
      const shown = describe(new Output({ json: false, colour }), {
        type: "message",
        roomName: "general",
        sender: "bob",
        at: 0,
        text: `hi${end}${forged}`,
      });
      const [, ...others] = String(shown).split(/[\n\u2028\u2029]/u);
      expect(others.length).toBeGreaterThan(0);
      for (const line of others) expect(line).toMatch(/^ {4}\| /);
    }
});

test("nobody is said to have removed an account that the operator disabled", () => {
  const removal = { type: "membership", roomName: "general", change: "removed", by: "carol" };
  expect(describe(output, { ...removal, users: ["bob"], disabled: ["bob"] })).toBe(
    "[general] bob's account was disabled",
  );
  expect(describe(output, { ...removal, users: ["bob", "dave"], disabled: ["bob"] })).toBe(
    "[general] bob's account was disabled; carol removed dave",
  );
  expect(describe(output, { ...removal, users: ["bob"] })).toBe("[general] carol removed bob");
});

test("a device that comes or goes does not pass for its person", () => {
  const line = (by: string, change: string, users: string[], devicesOf?: string[]) =>
    describe(output, {
      ...{ type: "membership", roomName: "general", change, by, users },
      ...(devicesOf && { devicesOf }),
    });
  expect(line("ben", "added", ["ann"])).toBe("[general] ben added ann");
  expect(line("ben", "added", ["ann"], ["ann"])).toBe("[general] ann has one more device here");
  expect(line("ann", "added", ["ann"])).toBe("[general] ann has one more device here");
  expect(line("ben", "added", ["ann", "ben", "cy"], ["ann"])).toBe(
    "[general] ben added cy; ann has one more device here; ben has one more device here",
  );
  expect(line("ben", "removed", ["ann"])).toBe("[general] ben removed ann");
  expect(line("ben", "removed", ["ann"], ["ann"])).toBe("[general] ben took out a device of ann");
  expect(line("ann", "removed", ["ann"])).toBe("[general] ann took out a device of theirs");
});

test("a new day is said once", () => {
  const days = new Days();
  const noon = new Date(2026, 10, 27, 12).getTime();
  const at = (hours: number) => days.of(output, { type: "message", at: noon + hours * 3_600_000 });
  expect(at(0)).toContain("27");
  expect(at(1)).toBeUndefined();
  expect(days.of(output, { type: "membership" })).toBeUndefined();
  expect(at(24)).toContain("28");
  expect(at(25)).toBeUndefined();
});
