import { expect, test } from "vitest";
import { randomBytes } from "../test/person.ts";
import { makeInvite } from "./invite.ts";
import { type LinkCode, makeLinkCode, parseLinkCode } from "./link-code.ts";
import { InviteError } from "./tagged-fields.ts";

const code: LinkCode = {
  host: "192.168.1.7",
  port: 7443,
  serverKeySha256: randomBytes(32),
  logKey: randomBytes(32),
  secret: randomBytes(32),
};
const { logKey: _, ...bare } = code;

test.each([code, bare, { ...code, host: "fd00::7" }])("a code reads back the same", (one) => {
  const text = makeLinkCode(one);
  expect(text).toMatch(/^sotto:\/\/[^/#]+\/l#[A-Za-z0-9_-]+$/);
  expect(parseLinkCode(` ${text}\n`)).toEqual(one);
});

test("a code that was cut off anywhere is refused", () => {
  const text = makeLinkCode(code);
  for (let length = 0; length < text.length; length++)
    expect(() => parseLinkCode(text.slice(0, length))).toThrow(InviteError);
});

test("an invite is no code", () => {
  const { invite, link } = makeInvite({ ...code, rooms: [], expiresAt: 0 });
  expect(() => parseLinkCode(invite)).toThrow(InviteError);
  expect(() => parseLinkCode(link)).toThrow(InviteError);
});
