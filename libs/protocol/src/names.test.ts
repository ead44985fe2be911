import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SottoError } from "./errors.ts";
import { ErrorCode } from "./gen/sotto/v1/client_pb.js";
import { checkTitle, foldName, readsLikePerson } from "./names.ts";

const invalid = expect.objectContaining({ code: ErrorCode.NAME_INVALID });

it("a folded name is folded for good, and whatever is no name is refused as one", () => {
  const typed = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."abzAZ09._- "), maxLength: 34 }),
  );
  fc.assert(
    fc.property(typed, (name) => {
      try {
        const folded = foldName(name);
        expect(foldName(folded)).toBe(folded);
      } catch (error) {
        if (!(error instanceof SottoError)) throw error;
        expect(error.code).toBe(ErrorCode.NAME_INVALID);
      }
    }),
  );
});

describe("a room's title", () => {
  it("is any text of one line, normalised", () => {
    expect(checkTitle("  Plän für 🎬 ")).toBe("Plän für 🎬");
    expect(checkTitle("e\u0301")).toBe("é");
  });

  it("has 1 to 64 characters, whatever they take in memory", () => {
    expect(checkTitle("🎬".repeat(64))).toHaveLength(128);
    expect(() => checkTitle("🎬".repeat(65))).toThrow(invalid);
    expect(() => checkTitle("   ")).toThrow(invalid);
  });

  it.each(["a\nb", "a\u2028b", "a\u0000b", "\u202Eabc", "a\u200Bb"])(
    "holds no control character: %j",
    (title) => {
      expect(() => checkTitle(title)).toThrow(invalid);
    },
  );

  it.each(["@alice", "＠alice", "﹫alice", " @alice", "(@alice", "\u3164@alice", "\u2800@alice"])(
    "may read like a person: %j",
    (title) => expect(readsLikePerson(title)).toBe(true),
  );

  it.each(["alice", "alice@home", "5 @ 5", "plans"])("and does not: %j", (title) =>
    expect(readsLikePerson(title)).toBe(false),
  );
});
