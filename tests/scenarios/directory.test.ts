import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { create } from "@bufbuild/protobuf";
import {
  checkpointNote,
  checkpointOrigin,
  Directory,
  sha256,
  signCheckpoint,
} from "@sotto/identity";
import { loadServerKeys } from "@sotto/keyserver";
import { DirectoryPageSchema } from "@sotto/protocol";
import { join as joinServer, MemoryStore } from "@sotto/sdk";
import { expect, test } from "vitest";
import { alterRecord } from "../../infra/embedded/test/alter-record.ts";
import { TestPerson } from "../../libs/identity/test/person.ts";
import { notices } from "../trust/harness/notices.ts";
import { Wire } from "../trust/harness/wire.ts";
import { linked } from "./own-devices.ts";
import { entries, type Joined, texts, until, World } from "./world.ts";

/** The server's own database, behind its back. */
function database(world: World): DatabaseSync {
  const path = join(world.data, "directory", "directory.db");
  return new DatabaseSync(path);
}

const state = async (person: Joined) => (await person.client.directory.view()).state;

async function wentOffline(person: Joined): Promise<void> {
  await person.client[Symbol.asyncDispose]();
}

test("everybody follows the one signed directory, and an audit finds nothing", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.send("general", "hello");
  await until("bob reads it", async () => (await texts(bob)).includes("hello"));
  const [one, other] = [await alice.client.directory.view(), await bob.client.directory.view()];
  expect(one).toEqual(other);
  expect(one).toMatchObject({ size: 2, state: "good" });
  const progress: number[] = [];
  const report = await bob.client.directory.audit((done) => progress.push(done));
  expect(report).toMatchObject({
    records: 2,
    users: 2,
    devices: 2,
    size: 2,
    root: one.root,
    checkpoint: { size: 2, root: one.root },
    own: { records: 1, devices: 1 },
    behind: false,
    faults: [],
  });
  expect(progress).toEqual([2]);
});

test("a record altered in the store is found by audits, and whoever is shown it refuses", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const { invite } = await alice.client.invite();
  const carol = new MemoryStore();
  const { transport, suite } = world;
  await joinServer({ invite, name: "carol", store: carol, transport, suite });
  await until("alice knows carol", async () => {
    await alice.client.people.refresh();
    return (await alice.client.directory.view()).size === 3;
  });
  alterRecord(world.data, 1);
  const report = await alice.client.directory.audit();
  expect(report.faults.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(["altered", "record", "root", "history"]),
  );
  expect(report.faults.find(({ kind }) => kind === "altered")).toMatchObject({ index: 1 });
  // What an audit finds counts like all that a device finds out.
  await expect(alice.client.send("general", "no")).rejects.toMatchObject({
    code: "DIRECTORY_FORK",
  });
  // Who looked at nothing meets it at the next login.
  const again = await world.open("bob", bob.store);
  await wentOffline(bob);
  await again.client.online();
  expect(await state(again)).toBe("fork");
  await expect(again.client.send("general", "no")).rejects.toMatchObject({
    code: "DIRECTORY_FORK",
  });
  await expect(again.client.rooms.create("plans")).rejects.toMatchObject({
    code: "DIRECTORY_FORK",
  });
  expect(await texts(again)).toEqual([]);
  // Who never knew it cannot follow it, and is in no room by it.
  const newcomer = await world.open("carol", carol);
  await newcomer.client.online();
  expect(newcomer.client.directory.fault).toMatchObject({ kind: "bad-record", index: 1 });
  await expect(newcomer.client.rooms.create("x")).rejects.toMatchObject({ code: "DIRECTORY_FORK" });
  expect(newcomer.client.rooms.list()).toEqual([]);
  const late = (await newcomer.client.directory.audit()).faults;
  expect(late.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["record", "root", "known"]));
});

/** A server that shows one of its clients a directory of its own making, and signs both. */
async function forkFor(world: World, wire: Wire) {
  const { identityKey, logKey } = await loadServerKeys(world.data);
  const origin = checkpointOrigin(await sha256(identityKey.publicKey));
  const shown: Uint8Array[] = [];
  const store = database(world);
  for (const row of store.prepare("SELECT bytes FROM records ORDER BY position").all())
    shown.push(new Uint8Array(row["bytes"] as Uint8Array));
  store.close();
  shown.push(await (await TestPerson.named("eve")).create());
  const directory = new Directory();
  for (const record of shown) await directory.apply(record);
  const head = await signCheckpoint(await directory.head(), origin, logKey);
  const note = await checkpointNote(head, origin, logKey.publicKey);
  wire.tampering = {
    response: (body, asked) => {
      if (body.case !== "directoryPage" || asked?.case !== "readDirectory") return undefined;
      const from = Number(asked.value.from);
      const { checkpoint } = body.value;
      if (!checkpoint) throw new Error("the server signs nothing");
      const value = create(DirectoryPageSchema, {
        from: BigInt(from),
        records: shown.slice(from),
        size: BigInt(shown.length),
        checkpoint: { ...checkpoint, note },
      });
      return { case: "directoryPage", value };
    },
  };
}

test("two directories for two people are found out by their first message, and kept", async () => {
  await using world = await World.start();
  const wire = new Wire();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport: wire });
  await until("bob is in", () => bob.client.rooms.find("general").phase === "active");
  await bob.client.ready();
  await forkFor(world, wire);
  const told = notices(bob.client);
  const { invite } = await alice.client.invite();
  await joinServer({
    invite,
    name: "carol",
    store: new MemoryStore(),
    transport: world.transport,
    suite: world.suite,
  });
  for (const person of [alice, bob])
    await until("both have three records", async () => {
      await person.client.people.refresh();
      return (await person.client.directory.view()).size === 3;
    });
  expect([await state(alice), await state(bob)]).toEqual(["good", "good"]);
  await alice.client.send("general", "hello bob");
  await until("bob finds out", async () => (await state(bob)) === "fork");
  expect(await texts(bob)).toEqual(["hello bob"]);
  await expect(bob.client.send("general", "hi")).rejects.toMatchObject({ code: "DIRECTORY_FORK" });
  await expect(bob.client.rooms.create("plans")).rejects.toMatchObject({ code: "DIRECTORY_FORK" });
  await until("bob is told", () => told.some((text) => text.includes("cannot be trusted")));
  const fault = bob.client.directory.fault;
  expect(fault).toMatchObject({ kind: "fork", ours: { size: 3 }, shown: { size: 3 } });
  expect(fault?.by).toMatchObject({ user: alice.client.profile.user });
  expect(fault?.ours?.root).not.toBe(fault?.shown?.root);
  await wentOffline(bob);
  const again = await world.open("bob", bob.store);
  expect(await state(again)).toBe("fork");
  expect(again.client.directory.fault).toEqual(fault);
  await expect(again.client.send("general", "hi")).rejects.toMatchObject({
    code: "DIRECTORY_FORK",
  });
});

test("a server set back to an older copy is healed by whoever comes, and nobody is alarmed", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  await world.stopServer();
  const backup = join(world.folder, "backup");
  await cp(join(world.data, "directory"), backup, { recursive: true });
  await world.startServer();
  await until("alice is back", async () =>
    alice.client.online(500).then(
      () => true,
      () => false,
    ),
  );
  const bob = await world.person("bob");
  await alice.client.people.refresh();
  const told = [notices(alice.client), notices(bob.client)];
  await wentOffline(alice);
  await world.stopServer();
  await rm(join(world.data, "directory"), { recursive: true });
  await cp(backup, join(world.data, "directory"), { recursive: true });
  await world.startServer();
  // The copy does not know bob, and he is the one who has his own record.
  await until("bob is let in again", async () =>
    bob.client.online(500).then(
      () => true,
      () => false,
    ),
  );
  expect(await state(bob)).toBe("good");
  const again = await world.open("alice", alice.store);
  await again.client.online();
  expect(await again.client.directory.view()).toEqual(await bob.client.directory.view());
  await again.client.send("general", "still here");
  await until("bob reads it", async () => (await texts(bob)).includes("still here"));
  expect((await again.client.directory.audit()).faults).toEqual([]);
  expect(told.flat().filter((text) => /trust|holds back/.test(text))).toEqual([]);
}, 60_000);

const changesOf = async (person: Joined) =>
  (await entries(person)).filter((entry) => entry.type === "keys-changed");

test("whose keys changed stands in every room that one shares, once, with who signed it", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.rooms.create("elsewhere");
  const { user, device } = bob.client.profile;
  const phone = await linked(world, bob, "phone");
  await until("alice sees it", async () => (await changesOf(alice)).length > 0);
  const general = alice.client.rooms.find("general").room;
  const signed = { kind: "device", user, device, name: expect.any(String) };
  const added = { type: "keys-changed", room: general, user, change: "device-added" };
  const first = { ...added, device: phone.client.profile.device, deviceName: "phone", by: signed };
  expect(await changesOf(alice)).toMatchObject([first]);
  // What this device did itself is no news to it.
  expect(await changesOf(bob)).toEqual([]);

  const told = notices(bob.client);
  const tablet = await linked(world, phone, "tablet");
  await until("bob's first device sees it", async () => (await changesOf(bob)).length > 0);
  const byPhone = { ...signed, device: phone.client.profile.device, name: "phone" };
  const second = { ...added, device: tablet.client.profile.device, deviceName: "tablet" };
  expect(await changesOf(bob)).toMatchObject([{ ...second, by: byPhone }]);
  await until("and is told", () => told.some((text) => text.includes('"tablet" was added')));
  expect(told.filter((text) => text.includes("was added to your account"))).toHaveLength(1);
  // Kept for whoever asks later, and told once.
  const alerts: string[] = [];
  const hear = async (text: string) => void alerts.push(text);
  await bob.client.devices.tellAlerts(hear);
  await bob.client.devices.tellAlerts(hear);
  expect(alerts).toEqual([expect.stringContaining('"tablet" was added to your account')]);

  await bob.client.devices.revoke("tablet");
  await until("alice sees that too", async () => (await changesOf(alice)).length === 3);
  expect(await changesOf(alice)).toMatchObject([
    first,
    { ...second, by: byPhone },
    { ...second, change: "device-revoked", by: signed },
  ]);
  await wentOffline(alice);
  const again = await world.open("alice", alice.store);
  await again.client.ready();
  expect(await changesOf(again)).toHaveLength(3);
});

test("a safety number is compared, and remembered where it is the same", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const [one, other] = [
    await alice.client.people.keys("bob"),
    await bob.client.people.keys("alice"),
  ];
  expect(one.safetyNumber).toBe(other.safetyNumber);
  expect(one.verified).toBe("no");
  const number = String(other.safetyNumber);
  const wrong = `${number.slice(0, -1)}${(Number(number.at(-1)) + 1) % 10}`;
  await expect(alice.client.people.verify("bob", wrong)).rejects.toMatchObject({
    code: "WRONG_NUMBER",
  });
  expect((await alice.client.people.keys("bob")).verified).toBe("no");
  const spaced = number.replace(/(\d{5})/g, "$1 ");
  expect((await alice.client.people.verify("bob", spaced)).verified).toBe("yes");
  expect((await alice.client.people.keys("bob")).verified).toBe("yes");
  await expect(alice.client.people.verify("alice", number)).rejects.toMatchObject({
    code: "UNKNOWN_USER",
  });
});
