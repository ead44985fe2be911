import { ErrorCode, limits } from "@sotto/protocol";
import { expect, test } from "vitest";
import { newDevice, randomBytes } from "../../../../libs/identity/test/person.ts";
import { ownedWorld, refusedWith } from "../../test/keyserver-world.ts";

const open = (channel: Uint8Array) => ({ case: "openLink" as const, value: { channel } });
const put = (channel: Uint8Array, number: number, sealed: Uint8Array) => ({
  case: "putLink" as const,
  value: { channel, number, sealed },
});
const get = (channel: Uint8Array, number: number) => ({
  case: "getLink" as const,
  value: { channel, number },
});
const hello = new Uint8Array([1, 2, 3]);

test("a device and a stranger leave messages for each other, on whichever replica", async () => {
  const { world, server, alice } = await ownedWorld();
  const other = await world.start();
  const channel = randomBytes(16);
  await server.ask(alice, open(channel), "done");
  await other.ask(alice, open(channel), "done");
  await other.ask(undefined, put(channel, 0, hello), "done");
  await server.ask(undefined, put(channel, 0, hello), "done");
  expect((await server.ask(alice, get(channel, 0), "linkMessage")).sealed).toEqual(hello);
  expect((await other.ask(undefined, get(channel, 1), "linkMessage")).sealed).toHaveLength(0);
  await server.ask(alice, put(channel, 1, hello), "done");
  expect((await other.ask(undefined, get(channel, 1), "linkMessage")).sealed).toEqual(hello);
});

test("what stands is never replaced, and a channel is one person's", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const channel = randomBytes(16);
  await server.ask(alice, open(channel), "done");
  await server.ask(undefined, put(channel, 0, hello), "done");
  const forbidden = refusedWith(ErrorCode.FORBIDDEN);
  const forged = put(channel, 0, new Uint8Array([9]));
  await expect(server.ask(undefined, forged, "done")).rejects.toMatchObject(forbidden);
  await expect(server.ask(bob, open(channel), "done")).rejects.toMatchObject(forbidden);
});

test("only who is logged in opens one, and it ends", async () => {
  const { world, server, alice } = await ownedWorld();
  const channel = randomBytes(16);
  const unknown = refusedWith(ErrorCode.LINK_UNKNOWN);
  await expect(server.ask(undefined, open(channel), "done")).rejects.toMatchObject(
    refusedWith(ErrorCode.NOT_AUTHENTICATED),
  );
  await expect(server.ask(undefined, put(channel, 0, hello), "done")).rejects.toMatchObject(
    unknown,
  );
  await server.ask(alice, open(channel), "done");
  await server.ask(undefined, put(channel, 0, hello), "done");
  await world.clock.advance(limits.linkLifetimeMs);
  await expect(server.ask(alice, get(channel, 0), "linkMessage")).rejects.toMatchObject(unknown);
});

test("mailboxes, messages and their sizes are bounded", async () => {
  const { world, server, alice } = await ownedWorld({ linksPerDeviceMax: 2 });
  const bob = await world.join(server, alice, "bob");
  const channels = [randomBytes(16), randomBytes(16), randomBytes(16)] as const;
  await server.ask(alice, open(channels[0]), "done");
  await server.ask(alice, open(channels[1]), "done");
  await expect(server.ask(alice, open(channels[2]), "done")).rejects.toMatchObject(
    refusedWith(ErrorCode.RATE_LIMITED),
  );
  // Another device of hers has its own, and so has somebody else.
  const phone = await newDevice();
  const record = await alice.add(phone);
  await server.ask(alice, { case: "submitRecord", value: { record } }, "recordStored");
  const asPhone = { user: alice.user, first: phone };
  await server.ask(asPhone, open(randomBytes(16)), "done");
  await server.ask(bob, open(channels[2]), "done");
  await expect(server.ask(asPhone, open(channels[2]), "done")).rejects.toMatchObject(
    refusedWith(ErrorCode.FORBIDDEN),
  );
  const large = new Uint8Array(limits.linkMessageBytesMax + 1);
  const cases = [
    [open(randomBytes(15)), ErrorCode.BAD_REQUEST],
    [put(channels[0], limits.linkMessagesMax, hello), ErrorCode.BAD_REQUEST],
    [put(channels[0], 0, new Uint8Array()), ErrorCode.BAD_REQUEST],
    [put(channels[0], 0, large), ErrorCode.TOO_LARGE],
    [put(randomBytes(17), 0, hello), ErrorCode.BAD_REQUEST],
  ] as const;
  for (const [body, code] of cases)
    await expect(server.ask(alice, body, "done")).rejects.toMatchObject(refusedWith(code));
  await server.ask(alice, put(channels[0], limits.linkMessagesMax - 1, large.subarray(1)), "done");
});
