import { makeInvite, makeLinkCode } from "@sotto/identity";
import { expect, test } from "vitest";
import { namedServer } from "./named-server.ts";

const pin = new Uint8Array(32).fill(3);
const code = { host: "chat.example.org", port: 7443, serverKeySha256: pin, secret: pin };

test("a server is named by its address, or by what carries its pin", () => {
  const address = { host: "chat.example.org", port: 7443 };
  const { invite, link } = makeInvite({ ...code, rooms: [], expiresAt: 0 });
  for (const text of [invite, link, makeLinkCode(code), ` ${invite}\n`])
    expect(namedServer(text)).toEqual({ address, serverKeySha256: pin });
  expect(namedServer("chat.example.org:7443")).toEqual({ address, serverKeySha256: undefined });
  expect(namedServer("[::1]:1").address).toEqual({ host: "::1", port: 1 });
});

test("what names no server is refused", () => {
  for (const text of ["", "a b", "host:0", "sotto://host:1/#cut", "https://host:1/"])
    expect(() => namedServer(text)).toThrow(expect.objectContaining({ code: "BAD_INVITE" }));
});
