import { foldName, parseDeviceId, parseRoomId, parseUserId } from "@sotto/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomBytes } from "../test/person.ts";
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import { type Invite, makeInvite, parseInvite } from "./invite.ts";
import { inviteKeys } from "./invite-keys.ts";
import { InviteError } from "./tagged-fields.ts";

const full: Invite = {
  host: "chat.example.org",
  port: 7443,
  serverKeySha256: randomBytes(32),
  logKey: randomBytes(32),
  auditorKeys: [randomBytes(32), randomBytes(32)],
  inviter: {
    user: parseUserId(randomBytes(16)),
    chainHead: randomBytes(32),
    head: { size: 3, root: randomBytes(32) },
  },
  reset: {
    user: parseUserId(randomBytes(16)),
    device: parseDeviceId(randomBytes(16)),
    expires: 1_700_000_000_000,
    signature: randomBytes(64),
    seq: 3,
    prev: "ab".repeat(32),
    name: foldName("carol"),
  },
  suite: "classical",
  rooms: [parseRoomId(randomBytes(16)), parseRoomId(randomBytes(32))],
  rosters: [16, 32].map((length) => ({
    room: parseRoomId(randomBytes(length)),
    sha256: randomBytes(32),
    bytes: 70_000,
  })),
  secret: randomBytes(32),
  expiresAt: 1_700_000_000_000,
};
const hybrid: Invite = { ...full, suite: "x-wing" };
const small: Invite = {
  host: "192.168.1.7",
  port: 443,
  serverKeySha256: randomBytes(32),
  rooms: [],
  secret: randomBytes(32),
  expiresAt: 0,
};

function fieldsOf(invite: Invite): Uint8Array {
  return fromBase64Url(makeInvite(invite).invite.split("#")[1] ?? "");
}

function linkOf(fields: Uint8Array): string {
  return `sotto://host:1/#${toBase64Url(fields)}`;
}

function field(tag: number, length: number): number[] {
  return [tag, length >> 8, length & 0xff, ...new Uint8Array(length).fill(1)];
}

describe.each([full, hybrid, small, { ...small, host: "::1" }, { ...small, host: "fd00::7" }])(
  "an invite to $host",
  (invite) => {
    test("reads back the same from both of its forms", () => {
      const { invite: text, link } = makeInvite(invite);
      expect(text).toMatch(/^sotto:\/\/[^/#]+\/#[A-Za-z0-9_-]+$/);
      expect(link).toMatch(/^https:\/\/[^/#]+\/i#[A-Za-z0-9_-]+$/);
      expect(parseInvite(text)).toEqual(invite);
      expect(parseInvite(`  ${link}\n`)).toEqual(invite);
    });
  },
);

test("an IPv6 address stands in brackets, and no port means 443", () => {
  expect(makeInvite({ ...small, host: "::1" }).invite).toContain("sotto://[::1]:443/#");
  const text = makeInvite(small).link.replace(":443", "");
  expect(parseInvite(text)).toMatchObject({ host: small.host, port: 443 });
});

test("a secret stands in the fragment only, which no browser sends", () => {
  const { link } = makeInvite(full);
  expect(new URL(link).hash.length).toBeGreaterThan(100);
  expect(link.split("#")[0]).toBe("https://chat.example.org:7443/i");
});

test("fields that this version does not know are ignored below 128 and refused from there on", () => {
  const known = fieldsOf(small);
  const optional = Uint8Array.from([...known, ...field(99, 3), ...field(127, 0), ...field(99, 1)]);
  expect(parseInvite(linkOf(optional))).toMatchObject({ secret: small.secret });
  for (const tag of [128, 255])
    expect(() => parseInvite(linkOf(Uint8Array.from([...known, ...field(tag, 1)])))).toThrow(
      /newer client/,
    );
  expect(() => parseInvite(linkOf(Uint8Array.from([2, ...known.slice(1)])))).toThrow(/newer Sotto/);
});

test("a field of another length, twice, or missing, is no invite: nothing is guessed", () => {
  const known = fieldsOf(small);
  for (const bad of [
    field(1, 32),
    field(6, 32),
    field(4, 47),
    field(7, 7),
    field(2, 31),
    field(3, 33),
    field(5, 15),
    field(8, 103),
    field(9, 2),
  ])
    expect(() => parseInvite(linkOf(Uint8Array.from([...known, ...bad]))), String(bad[0])).toThrow(
      InviteError,
    );
  const huge = [7, 0, 8, 255, 255, 255, 255, 255, 255, 255, 255];
  expect(() => parseInvite(linkOf(Uint8Array.from([...known, ...huge])))).toThrow(InviteError);
  expect(() => parseInvite(linkOf(Uint8Array.from([1, ...field(6, 32)])))).toThrow(InviteError);
  expect(() => parseInvite(linkOf(Uint8Array.from([1, ...field(1, 32)])))).toThrow(InviteError);
});

test("an invite that was cut off anywhere says so", () => {
  const { invite } = makeInvite(full);
  for (let length = 0; length < invite.length; length++)
    expect(() => parseInvite(invite.slice(0, length)), String(length)).toThrow(InviteError);
});

test("an address that is none is refused", () => {
  const fragment = makeInvite(small).invite.split("#")[1];
  for (const authority of [
    "",
    ":1",
    "a b:1",
    "a@b:1",
    "a\\b:1",
    "host:0",
    "host:65536",
    "host:",
    "[::1",
    "[zz]:1",
    "::1",
    "a?b:1",
    "a%2fb:1",
  ])
    expect(() => parseInvite(`sotto://${authority}/#${fragment}`), authority).toThrow(InviteError);
  for (const form of [
    "http://host:1/i#",
    "https://host:1/#",
    "sotto://host:1/i#",
    "https://host:1/x#",
  ])
    expect(() => parseInvite(`${form}${fragment}`), form).toThrow(InviteError);
});

test("whatever the text is, the answer is an invite or an InviteError", () => {
  const fragments = fc
    .uint8Array({ maxLength: 200 })
    .map((bytes) => linkOf(Uint8Array.from([1, ...bytes])));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fragments, fc.webUrl({ withFragments: true })), (text) => {
      expect(() => parseInvite(text)).toThrow(InviteError);
    }),
    { numRuns: 500 },
  );
});

test("a secret gives the server one half and members the other, and neither tells the other", async () => {
  const secret = new Uint8Array(32).map((_, at) => at);
  const { serverToken, inviteKey } = await inviteKeys(secret);
  const again = await inviteKeys(secret);
  expect(again.serverToken).toEqual(serverToken);
  expect(again.inviteKey.publicKey).toEqual(inviteKey.publicKey);
  expect(serverToken).toHaveLength(32);
  const fromToken = await inviteKeys(serverToken);
  expect(fromToken.inviteKey.publicKey).not.toEqual(inviteKey.publicKey);
});
