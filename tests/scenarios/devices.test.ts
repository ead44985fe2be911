import {
  addDeviceRecord,
  makeLinkCode,
  parseLinkCode,
  parseRecord,
  signerFromSeed,
} from "@sotto/identity";
import { limits } from "@sotto/protocol";
import { joinByLink, loadProfile, MemoryStore, recover } from "@sotto/sdk";
import { expect, test } from "vitest";
import { newDevice } from "../../clients/sdk/src/devices/new-device.ts";
import { submitRecord } from "../../clients/sdk/src/devices/own-chain.ts";
import { LastingStore } from "./company.ts";
import { recordContext } from "./own-chain-context.ts";
import { linked } from "./own-devices.ts";
import { entries, type Joined, texts, until, World } from "./world.ts";

test("two devices of one person read what others say, and others read both", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const phone = await linked(world, alice, "phone");
  expect(phone.client.profile).toMatchObject({ user: alice.client.profile.user, name: "alice" });
  await phone.client.rooms.waitFor("general", 10_000);
  await bob.client.send("general", "for both of you");
  await phone.client.send("general", "from the phone");
  await alice.client.send("general", "from the laptop");
  for (const reader of [alice, phone, bob])
    await until(`${reader.name} read all`, async () => {
      const read = await texts(reader, "general");
      return ["for both of you", "from the phone", "from the laptop"].every((text) =>
        read.includes(text),
      );
    });
  expect(bob.client.rooms.members("general")).toContainEqual(
    expect.objectContaining({ name: "alice", devices: 2 }),
  );
});

test("a device that nobody lets in comes in by itself, and hears what the room is called", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const quiet = await alice.client.rooms.create("quiet", "none");
  await alice.client.rooms.add("quiet", "bob");
  await bob.client.rooms.waitFor("quiet", 10_000);
  await bob.client[Symbol.asyncDispose]();
  const store = new LastingStore();
  const link = await alice.client.devices.link();
  const done = link.complete(new AbortController().signal);
  const { transport } = world;
  await joinByLink({ code: link.code, deviceName: "phone", store, transport });
  await done;
  await alice.client[Symbol.asyncDispose]();
  // Alone on the server: there is nobody who could add it.
  const phone = await world.open("phone", store);
  const active = () => phone.client.rooms.list().filter(({ phase }) => phase === "active");
  await until("phone is in", () => active().length === 2, 15_000);
  await phone.client.send(quiet.room, "all by myself");
  const later = await world.open("bob", bob.store);
  await until("bob reads it", async () => (await texts(later)).includes("all by myself"));
  await phone.client.rooms.waitFor("quiet", 10_000);
});

test("a revoked device is cut off at once, taken out of rooms, and reads nothing more", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const phone = await linked(world, alice, "phone");
  await phone.client.rooms.waitFor("general", 10_000);
  await bob.client.send("general", "before");
  await until("phone reads", async () => (await texts(phone)).includes("before"));

  const begun = performance.now();
  await alice.client.devices.revoke("phone");
  await until("phone is cut off", () => phone.client.refusal !== undefined, 1_000);
  expect(performance.now() - begun).toBeLessThan(1_000);
  expect(phone.client.refusal).toMatchObject({ code: "REVOKED" });
  await bob.client.send("general", "after");
  await alice.client.send("general", "and after that");
  await until("alice reads on", async () => (await texts(alice)).includes("after"));
  expect(bob.client.rooms.members("general")).toContainEqual(
    expect.objectContaining({ name: "alice", devices: 1 }),
  );
  expect(await texts(phone)).not.toContain("after");
  await expect(phone.client.send("general", "still here?")).rejects.toMatchObject({
    code: "REVOKED",
  });
  expect(await alice.client.devices.list()).toMatchObject([
    { current: true, revoked: false },
    { name: "phone", current: false, revoked: true },
  ]);
});

test("anybody's device takes a revoked one out, and sends only after that", async () => {
  await using world = await World.start();
  const [alice, bob, carol] = await world.people("alice", "bob", "carol");
  const phone = await linked(world, bob, "phone");
  await phone.client.rooms.waitFor("general", 10_000);
  await phone.client.devices.revoke((await firstOf(phone)).device);
  await phone.client[Symbol.asyncDispose]();
  await alice.client[Symbol.asyncDispose]();
  // Of those who are left only carol, who is no admin, has to do with it.
  await carol.client.send("general", "without bob's laptop");
  expect(carol.client.rooms.members("general")).toContainEqual(
    expect.objectContaining({ name: "bob", devices: 1 }),
  );
  expect(bob.client.refusal).toMatchObject({ code: "REVOKED" });
  expect(await texts(bob)).not.toContain("without bob's laptop");
});

test("a device that comes or goes does not pass for its person, whoever let it in or took it out", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const phone = await linked(world, bob, "phone");
  await phone.client.rooms.waitFor("general", 10_000);
  await bob.client.devices.revoke("phone");
  const bobs = () =>
    alice.client.rooms.members("general").find(({ name }) => name === "bob")?.devices;
  await until("the phone is out", () => bobs() === 1);
  await alice.client.rooms.remove("general", "bob");

  const user = bob.client.profile.user;
  const moves = async (person: Joined) =>
    (await entries(person))
      .filter((entry) => entry.type === "membership" && entry.users.includes(user))
      .map((entry) => (entry.type === "membership" ? [entry.change, entry.devicesOf ?? []] : []));
  const all = [
    ...[
      ["added", []],
      ["added", [user]],
    ],
    ...[
      ["removed", [user]],
      ["removed", []],
    ],
  ];
  expect(await moves(alice)).toEqual(all);
  // One that was not there has it from the archive.
  const tablet = await linked(world, alice, "tablet");
  await until("the tablet has all of it", async () => (await moves(tablet)).length === all.length);
  expect(await moves(tablet)).toEqual(all);
});

async function firstOf(person: Joined) {
  const [first] = await person.client.devices.list();
  if (!first) throw new Error("no device");
  return first;
}

test("a code is good for one device, and says so to the next one", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const { transport } = world;
  const link = await alice.client.devices.link();
  const join = (store: MemoryStore, signal?: AbortSignal) =>
    joinByLink({
      code: link.code,
      deviceName: "phone",
      store,
      transport,
      ...(signal ? { signal } : {}),
    });
  const done = link.complete(new AbortController().signal);
  await join(new MemoryStore());
  await done;
  await expect(join(new MemoryStore())).rejects.toMatchObject({
    code: "LINK_ENDED",
    message: expect.stringContaining("used by another device"),
  });
  expect(await alice.client.devices.list()).toHaveLength(2);
});

test("a link that is cut off before the directory was looked at is looked at later", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const store = new LastingStore();
  const link = await alice.client.devices.link();
  const done = link.complete(new AbortController().signal);
  let connections = 0;
  const transport: typeof world.transport = {
    connect: (...input) => {
      if (++connections > 1) throw new Error("cut");
      return world.transport.connect(...input);
    },
  };
  await expect(
    joinByLink({ code: link.code, deviceName: "phone", store, transport }),
  ).rejects.toThrow("cut");
  await done;
  expect(await store.get("meta", "owed-head")).toBeDefined();
  const phone = await world.open("phone", store);
  await phone.client.rooms.waitFor("general", 10_000);
  expect(await store.get("meta", "owed-head")).toBeUndefined();
});

test("what the old device ends, the new one hears", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const link = await alice.client.devices.link();
  const stop = new AbortController();
  const done = link.complete(stop.signal);
  stop.abort(new Error("ctrl-c"));
  await expect(done).rejects.toThrow("ctrl-c");
  const store = new MemoryStore();
  const late = joinByLink({
    code: link.code,
    deviceName: "phone",
    store,
    transport: world.transport,
  });
  await expect(late).rejects.toMatchObject({
    code: "LINK_ENDED",
    message: expect.stringContaining("ended on the other device"),
  });
  expect(await loadProfile(store)).toBeUndefined();
});

test("a code of another server, an unknown one, and what is none are refused", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const { code } = await alice.client.devices.link();
  const join = (text: string) =>
    joinByLink({
      code: text,
      deviceName: "phone",
      store: new MemoryStore(),
      transport: world.transport,
    });
  const parsed = parseLinkCode(code);
  const strange = { ...parsed, serverKeySha256: parsed.secret };
  await expect(join(makeLinkCode(strange))).rejects.toMatchObject({ code: "WRONG_SERVER" });
  const expired = { ...parsed, secret: parsed.serverKeySha256 };
  await expect(join(makeLinkCode(expired))).rejects.toMatchObject({ code: "LINK_ENDED" });
  await expect(join("sotto://host/#abc")).rejects.toMatchObject({ code: "BAD_INVITE" });
});

/** A new machine of somebody who has only their recovery phrase. */
async function recovered(world: World, phrase: string, keepDevices = false): Promise<Joined> {
  const store = new LastingStore();
  const { port } = world.server.announced.listening;
  await recover({
    server: `127.0.0.1:${port}`,
    phrase,
    deviceName: "new machine",
    keepDevices,
    store,
    transport: world.transport,
  });
  return await world.open("recovered", store);
}

test("a recovery phrase brings the identity back on a new machine, and lost devices go", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  expect(await bob.client.devices.recovery.state()).toBe("none");
  const phrase = await bob.client.devices.recovery.create();
  expect(await bob.client.devices.recovery.state()).toBe("unconfirmed");
  await bob.client.devices.recovery.confirm(phrase);
  expect(await bob.client.devices.recovery.state()).toBe("set");
  // The phrase is no device: nobody counts it, and no room holds it.
  expect(await bob.client.devices.list()).toHaveLength(1);
  await bob.client[Symbol.asyncDispose]();

  const again = await recovered(world, phrase);
  expect(again.client.profile).toMatchObject({ user: bob.client.profile.user, name: "bob" });
  await again.client.rooms.waitFor("general", 15_000);
  await until("the lost device is revoked", async () =>
    (await again.client.devices.list()).some(({ revoked }) => revoked),
  );
  await again.client.send("general", "bob is back");
  await until("alice reads it", async () => (await texts(alice)).includes("bob is back"));
  await until("only the new device is in the room", () =>
    alice.client.rooms
      .members("general")
      .some(({ name, devices }) => name === "bob" && devices === 1),
  );
  const old = await world.open("old", bob.store);
  await until("the old one is out", () => old.client.refusal !== undefined);
  expect(old.client.refusal).toMatchObject({ code: "REVOKED" });
  expect(await again.client.devices.recovery.state()).toBe("set");
});

test("only a phrase that was shown or used counts as written down, on each device by what it knows", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const { recovery } = alice.client.devices;
  const first = await recovery.create();
  const second = await recovery.create();
  expect(await recovery.state()).toBe("unconfirmed");
  const phone = await linked(world, alice, "phone");
  await phone.client.people.refresh();
  expect(await phone.client.devices.recovery.state()).toBe("unconfirmed");
  // Some words of the one that was set last were asked for.
  await recovery.confirmed();
  expect(await recovery.state()).toBe("set");
  await recovery.create({ replacing: second });
  expect(await recovery.state()).toBe("unconfirmed");
  await recovery.confirm(first);
  expect(await recovery.state()).toBe("set");
  // What was shown elsewhere the phone cannot know; what has signed for a device it can.
  await phone.client.people.refresh();
  expect(await phone.client.devices.recovery.state()).toBe("unconfirmed");
  const again = await recovered(world, first, true);
  expect(await again.client.devices.recovery.state()).toBe("set");
  await phone.client.people.refresh();
  expect(await phone.client.devices.recovery.state()).toBe("set");
});

test("a phrase of another server, a replaced one, and a wrong pin are refused", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const { recovery } = alice.client.devices;
  const first = await recovery.create();
  const second = await recovery.create();
  // Both are good: a second sheet of paper.
  const third = await recovery.create({ replacing: second });
  await expect(recovered(world, second)).rejects.toMatchObject({ code: "UNKNOWN_PHRASE" });
  await expect(recovery.confirm(second)).rejects.toMatchObject({ code: "UNKNOWN_PHRASE" });
  await using other = await World.start();
  await other.people("somebody");
  await expect(recovered(other, third)).rejects.toMatchObject({
    code: "UNKNOWN_PHRASE",
    message: expect.stringContaining("another server"),
  });
  await expect(recovered(world, "not a phrase")).rejects.toMatchObject({ code: "BAD_PHRASE" });
  const kept = await recovered(world, first, true);
  await kept.client.rooms.waitFor("general", 15_000);
  expect((await kept.client.devices.list()).map(({ revoked }) => revoked)).toEqual([false, false]);
});

test("an identity begins anew by the owner's word: everything before it is out, and its rooms open again", async () => {
  await using world = await World.start();
  const [alice, bob, carol] = await world.people("alice", "bob", "carol");
  const secret = await alice.client.rooms.create("secret");
  await alice.client.rooms.add("secret", "carol");
  await expect(bob.client.invite({ reset: "carol" })).rejects.toMatchObject({ code: "REFUSED" });
  const { invite } = await alice.client.invite({ reset: "carol" });
  const again = await world.arrive("carol", invite);
  expect(again.client.profile).toMatchObject({ user: carol.client.profile.user, name: "carol" });
  await until("the old device is out", () => carol.client.refusal !== undefined, 2_000);
  await again.client.rooms.waitFor("general", 15_000);
  await again.client.send("general", "it is me again");
  await until("bob reads it", async () => (await texts(bob)).includes("it is me again"));
  expect(bob.client.rooms.members("general")).toContainEqual(
    expect.objectContaining({ name: "carol", devices: 1 }),
  );
  // Everybody is told, and a room that the owner did not name stays closed.
  await until("bob is told", async () =>
    (await entries(bob)).some(
      (entry) => entry.type === "keys-changed" && entry.change === "identity-reset",
    ),
  );
  await alice.client.send("secret", "without the new one");
  expect(again.client.rooms.list().map(({ room }) => room)).not.toContain(secret.room);
  await expect(world.arrive("carol", invite)).rejects.toMatchObject({ code: expect.anything() });
  await alice.client.rooms.remove("general", "carol");
  await alice.client.send("general", "out again");
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(await texts(again)).not.toContain("out again");
  expect(bob.client.rooms.members("general").map(({ name }) => name)).not.toContain("carol");
});

test("two devices that link at once both get their place in the chain", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const phone = await linked(world, alice, "phone");
  const [tablet, watch] = await Promise.all([
    linked(world, alice, "tablet"),
    linked(world, phone, "watch"),
  ]);
  const named = async (of: Joined) => (await of.client.devices.list()).map(({ name }) => name);
  await tablet.client.people.refresh();
  await watch.client.people.refresh();
  expect((await named(tablet)).sort()).toEqual(["device", "phone", "tablet", "watch"]);
  expect(await named(watch)).toEqual(await named(tablet));
  for (const device of [tablet, watch]) await device.client.rooms.waitFor("general", 15_000);
});

test("who lost as many devices as there may be recovers nevertheless", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const phrase = await alice.client.devices.recovery.create();
  const profile = alice.client.profile;
  await using chain = await recordContext(world, profile);
  const by = { device: profile.device, signer: await signerFromSeed(profile.secrets.sign) };
  for (let count = 1; count < limits.devicesPerUserMax; count++) {
    const { description, signer } = await newDevice(`device ${count}`);
    await submitRecord(chain.context, (place) => addDeviceRecord(place, description, signer, by));
  }
  await expect(recovered(world, phrase, true)).rejects.toMatchObject({
    code: "REFUSED",
    message: expect.stringMatching(/without --keep-devices.*device 31/),
  });
  const before = (await alice.client.devices.list()).length;
  const again = await recovered(world, phrase);
  // In one record: a stolen device has no moment to fill the place that it made.
  const [record] = (await again.store.scan("directory", { reverse: true, limit: 1000 }))
    .map(({ value }) => parseRecord(value).record)
    .filter(({ typ }) => typ === "device-add");
  expect(record).toMatchObject({
    seq: before + 1,
    device: { id: again.client.profile.device },
    replaces: expect.any(String),
  });
  await again.client.rooms.waitFor("general", 15_000);
  // It has begun by itself. To list the devices until it is through would take longer than to do it.
  await again.client.devices.revokeLost();
  const standing = (await again.client.devices.list()).filter(({ revoked }) => !revoked);
  expect(standing.map(({ device }) => device)).toEqual([again.client.profile.device]);
}, 90_000);
