import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { LastingStore } from "./company.ts";
import { sourceOf } from "./film.ts";
import { linked, recovered } from "./own-devices.ts";
import { entries, texts, until, World } from "./world.ts";

test("a room says to everybody what newcomers may have, and an admin changes it", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const { room } = await alice.client.rooms.create("plans", "since-join");
  await alice.client.rooms.add("plans", "bob");
  await bob.client.rooms.waitFor("plans", 5000);
  expect(bob.client.rooms.find("plans").history).toBe("since-join");
  expect(bob.client.rooms.find("general").history).toBe("all");

  const sequence = await alice.client.rooms.setHistory("plans", "all");
  for (const person of [alice, bob]) {
    await until(
      `${person.name} sees it`,
      () => person.client.rooms.find("plans").history === "all",
    );
    expect((await entries(person)).filter(({ type }) => type === "policy")).toEqual([
      expect.objectContaining({ room, sequence, history: "all", by: alice.client.profile.user }),
    ]);
  }
  // Nothing to change is no commit.
  expect(await alice.client.rooms.setHistory("plans", "all")).toBe(sequence);
  await expect(bob.client.rooms.setHistory("plans", "none")).rejects.toMatchObject({
    message: /admin/,
  });
});

test("what two people say is not for anybody else, and that does not change", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice", "bob");
  await alice.client.send("@bob", "hi");
  expect(alice.client.rooms.find("@bob").history).toBe("since-join");
  await expect(alice.client.rooms.setHistory("@bob", "all")).rejects.toMatchObject({
    message: /direct/,
  });
});

test("what a device read is in its archive, and is there again where only the keys are left", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.send("general", "hello");
  await bob.client.send("general", "hi");
  await bob.client.send("@alice", "between us");
  await until("bob has all", async () => (await texts(bob)).length === 3);
  await bob.client.archive.flush();
  await bob[Symbol.asyncDispose]();

  const store = new LastingStore();
  const profile = await bob.store.get("meta", "profile");
  await store.commit([{ table: "meta", key: "profile", value: profile }]);
  const again = await world.open("bob", store);
  await again.client.ready();
  expect(await texts(again)).toEqual(["hello", "hi", "between us"]);
  // What is said from here on stands after it, once.
  await until("bob is back", () => again.client.rooms.find("general").phase === "active");
  await alice.client.send("general", "welcome back");
  await until("bob hears", async () => (await texts(again)).includes("welcome back"));
  expect(await texts(again)).toEqual(["hello", "hi", "between us", "welcome back"]);
  // What no archive keeps, because nobody sees it, is asked for again.
  const unreadable = async () =>
    (await entries(again)).filter(({ type }) => type === "history-unavailable").length;
  await until("nothing is left unreadable", async () => (await unreadable()) === 0);
});

test("who comes later reads everything from before, in its place, and nobody else sees anything of it", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.send("general", "one");
  await bob.client.send("general", "two");
  const film = randomBytes(1_500_000);
  const { object } = await alice.client.media.share("general", sourceOf(film, "film.mp4"));
  const gone = await bob.client.media.share("general", sourceOf(randomBytes(1000), "gone.mp4"));
  await bob.client.media.delete(gone.object);
  await until("alice has all", async () =>
    (await entries(alice)).some(({ type }) => type === "media-deleted"),
  );
  const [aliceBefore, bobBefore] = [(await entries(alice)).length, (await entries(bob)).length];

  const carol = await world.person("carol");
  await until("carol has it", async () => (await texts(carol)).length === 2);
  await alice.client.send("general", "welcome");
  await until("carol hears", async () => (await texts(carol)).includes("welcome"));
  expect(await texts(carol)).toEqual(["one", "two", "welcome"]);
  const told = (await entries(carol)).filter(
    ({ type, toldBy }) => toldBy !== undefined && type !== "title",
  );
  expect(told.map(({ type }) => type)).toEqual([
    ...["message", "message", "media", "media", "media-deleted"],
  ]);
  expect(told[0]).toMatchObject({ sender: alice.client.profile.user, text: "one" });
  expect((await entries(carol)).find(({ type }) => type === "membership")?.toldBy).toBeUndefined();
  const sequences = (await entries(carol)).map(({ sequence }) => sequence);
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  expect((await carol.client.media.list()).map((view) => view.object)).toEqual([object]);
  const opened = await carol.client.media.open(object);
  const parts: Uint8Array[] = [];
  for await (const part of opened.read(0, opened.bytes)) parts.push(part);
  expect(Buffer.concat(parts).equals(film)).toBe(true);
  // The others have carol's coming, the title again, and the welcome: nothing of what she was told.
  for (const [person, before] of [
    [alice, aliceBefore],
    [bob, bobBefore],
  ] as const) {
    await until(`${person.name} heard`, async () => (await texts(person)).includes("welcome"));
    const after = (await entries(person)).slice(before).map(({ type }) => type);
    expect(after.filter((type) => type !== "title")).toEqual(["membership", "message"]);
    expect((await person.client.media.list()).map(({ name }) => name)).toEqual(["film.mp4"]);
  }
});

test("newcomers are told by whoever is there, each time only what came since", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.send("general", "one");
  const carol = await world.person("carol");
  await until("carol has it", async () => (await texts(carol)).length === 1);
  await bob.client.send("general", "two");
  await until("carol hears", async () => (await texts(carol)).length === 2);
  const invite = await alice.client.invite({ expiresInMs: 60_000 });
  // Carol has all of it only by what she was told, and is alone when dave comes.
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
  const dave = await world.arrive("dave", invite.invite);
  await dave.client.rooms.waitFor("general", 10_000);
  await until("dave has it", async () => (await texts(dave)).length === 2);
  expect(await texts(dave)).toEqual(["one", "two"]);
  const told = (await entries(dave)).filter(({ type }) => type === "message");
  expect(told.map(({ toldBy }) => toldBy)).toEqual([
    carol.client.profile.user,
    carol.client.profile.user,
  ]);
});

test("where the one who let somebody in goes away, another one tells", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.rooms.create("plans");
  await alice.client.send("plans", "the plan");
  await alice.client.rooms.add("plans", "bob");
  await until("bob was told", async () => (await texts(bob, "plans")).length === 1);
  const carol = await world.person("carol");
  // Alice stops between the commit and what follows it: nothing that she would say gets out.
  const room = alice.client.rooms.find("plans").room;
  void alice.client.rooms.add("plans", "carol").catch(() => {});
  await until("carol is in", () => bob.client.rooms.members(room).length === 3);
  await alice[Symbol.asyncDispose]();
  await carol.client.rooms.waitFor(room, 10_000);
  await until("carol has it", async () => (await texts(carol)).includes("the plan"), 30_000);
  // What it is called was told with it: alice had no time to say so.
  await until("carol knows the room", () => carol.client.rooms.nameOf(room) === "plans");
  expect(await texts(carol, "plans")).toEqual(["the plan"]);
});

test("who is told only a part by one member is told the rest by another, as soon as there is one", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  for (const text of ["one", "two"]) await alice.client.send("general", text);
  const bob = await world.person("bob");
  await until("bob was told", async () => (await texts(bob)).length === 2, 20_000);
  await bob.client.send("general", "three");
  await until("bob has all", async () => (await texts(bob)).length === 3);
  await until("alice has all", async () => (await texts(alice)).length === 3);
  // Bob would have newcomers know his own words, and no other.
  const rows = await bob.store.scan("remembered", { limit: 1000 });
  const others = rows.filter(({ value }) => !Buffer.from(value).includes("three"));
  expect(others.length).toBeLessThan(rows.length);
  const told = await bob.store.scan("history-shares", { limit: 1000 });
  await bob.store.commit(
    told.map(({ key }) => ({ table: "history-shares", key, value: undefined })),
  );
  await bob.store.commit(others.map(({ key }) => ({ table: "remembered", key, value: undefined })));
  await alice.client[Symbol.asyncDispose]();
  const carol = await world.arrive("carol", (await bob.client.invite()).invite);
  await until("carol is told a part", async () => (await texts(carol)).length > 0, 20_000);
  expect(await texts(carol)).toEqual(["three"]);
  const back = await world.open("alice", alice.store);
  await until("carol has all", async () => (await texts(carol)).length === 3, 40_000);
  expect(await texts(carol)).toEqual(["one", "two", "three"]);
  // And who comes next is not told what bob told, by whoever tells.
  await bob.client[Symbol.asyncDispose]();
  const dave = await world.arrive("dave", (await back.client.invite()).invite);
  await until("dave has all", async () => (await texts(dave)).length === 3, 20_000);
}, 90_000);

test("with since-join or none a newcomer reads from its coming on", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  for (const history of ["since-join", "none"] as const) {
    await alice.client.rooms.create(history, history);
    await alice.client.send(history, "before");
    await alice.client.rooms.add(history, "bob");
    await bob.client.rooms.waitFor(history, 5000);
    await alice.client.send(history, "after");
    await until("bob hears", async () => (await texts(bob, history)).includes("after"));
  }
  // A change is for what is said from then on.
  await alice.client.rooms.setHistory("none", "all");
  await alice.client.send("none", "for all");
  const carol = await world.person("carol");
  await alice.client.rooms.add("none", "carol");
  await until("carol has it", async () => (await texts(carol, "none")).length > 0);
  expect(await texts(carol, "none")).toEqual(["for all"]);
  expect(await texts(bob, "none")).toEqual(["after", "for all"]);
  expect(await texts(bob, "since-join")).toEqual(["after"]);
});

test("a linked device has everything from before: messages, films, rooms that were left, in order", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.rooms.create("secret", "none");
  await alice.client.send("secret", "only here");
  await bob.client.rooms.create("over");
  await bob.client.rooms.add("over", "alice");
  await alice.client.rooms.waitFor("over", 5000);
  await bob.client.send("over", "soon over");
  await until("alice has it", async () => (await texts(alice)).includes("soon over"));
  await bob.client.rooms.remove("over", "alice");
  await alice.client.send("general", "one");
  await bob.client.send("@alice", "two");
  const film = randomBytes(1_200_000);
  const { object } = await alice.client.media.share("general", sourceOf(film, "film.mp4"));
  await until("alice has all", async () => (await texts(alice)).length === 4);

  const phone = await linked(world, alice, "phone");
  await phone.client.ready();
  const wanted = (await texts(alice)).filter((text) => text !== "only here");
  expect(await texts(phone)).toEqual(wanted);
  expect(await texts(phone, "over")).toEqual(["soon over"]);
  expect(phone.client.rooms.find("over").phase).toBe("left");
  const opened = await phone.client.media.open(object);
  const parts: Uint8Array[] = [];
  for await (const part of opened.read(0, opened.bytes)) parts.push(part);
  expect(Buffer.concat(parts).equals(film)).toBe(true);

  // From here on both read the same, and one of them archives it.
  await phone.client.rooms.waitFor("general", 10_000);
  await bob.client.send("general", "three");
  for (const device of [alice, phone])
    await until(`${device.name} hears`, async () => (await texts(device)).includes("three"));
  const tablet = await linked(world, phone, "tablet");
  await tablet.client.ready();
  expect(await texts(tablet)).toEqual([...wanted, "three"]);
  // What the phone has by the archive it can tell to others: alice and bob are away.
  const { invite } = await phone.client.invite({ expiresInMs: 60_000 });
  for (const device of [alice, bob, tablet]) await device[Symbol.asyncDispose]();
  const dave = await world.arrive("dave", invite);
  await dave.client.rooms.waitFor("general", 10_000);
  await until("dave was told", async () => (await texts(dave)).length === 2);
  expect(await texts(dave, "general")).toEqual(["one", "three"]);
});

test("a phrase on paper brings the history back, and what was lost with the machine reads no further", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const phrase = await bob.client.devices.recovery.create();
  await alice.client.send("general", "before the fire");
  await until("bob hears", async () => (await texts(bob)).length === 1);
  await bob.client.send("@alice", "between us");
  await until("bob has both", async () => (await texts(bob)).length === 2);
  await bob.client.archive.flush();
  await bob[Symbol.asyncDispose]();

  const again = await recovered(world, phrase);
  await again.client.ready();
  expect(await texts(again)).toEqual(["before the fire", "between us"]);
  await again.client.rooms.waitFor("general", 15_000);
  await until("the lost one is revoked", async () =>
    (await again.client.devices.list()).some(({ revoked }) => revoked),
  );
  await alice.client.send("general", "after it");
  await until("bob hears", async () => (await texts(again)).includes("after it"));
  await again.client.archive.flush();
  // The next machine has it all, by the same paper.
  const third = await recovered(world, phrase);
  await third.client.ready();
  expect(await texts(third)).toEqual(["before the fire", "between us", "after it"]);
});

test("a room that keeps its history to itself is known by its name on a new machine", async () => {
  await using world = await World.start();
  const alice = await world.person("alice");
  const phrase = await alice.client.devices.recovery.create();
  for (const name of ["quiet", "silent"]) {
    await alice.client.rooms.create(name, "none");
    await alice.client.send(name, `only in ${name}`);
  }
  await alice.client.archive.flush();
  await alice[Symbol.asyncDispose]();
  // Nobody is there who could tell it.
  const again = await recovered(world, phrase);
  const named = () => again.client.rooms.list().map(({ name }) => name);
  await until("it is in all of them", () => named().length === 3, 20_000);
  await until("they have their names", () => !named().includes(""));
  expect(named().sort()).toEqual(["general", "quiet", "silent"]);
  await again.client.ready();
  expect(await texts(again)).toEqual([]);
});
