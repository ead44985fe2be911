import { decodeEnvelope } from "@sotto/identity";
import { type Group, MlsError } from "@sotto/mls";
import { RecordKind, type Record as RecordMessage } from "@sotto/protocol";
import type { StoreChange } from "@sotto/sdk";
import { expect, test } from "vitest";
import { entries, type Joined, until } from "../scenarios/world.ts";
import { quickSuite } from "./config.ts";
import { DyingStore, type Moment } from "./harness/dying-store.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { keptEpoch, keptGroup } from "./harness/kept-group.ts";
import { Mortal } from "./harness/mortal.ts";

interface Stage {
  readonly hostile: HostileWorld;
  readonly alice: Joined;
  readonly carol: Joined;
  readonly bob: Mortal;
}

async function said(person: Joined, room: string): Promise<string[]> {
  const all = await entries(person);
  return all.flatMap((entry) =>
    entry.type === "message" && entry.room === room ? [entry.text] : [],
  );
}

/** What bob does, and what befalls him: sends, receives, commits, what cannot be opened, a group that is lost. */
async function script({ alice, bob }: Stage, room: string): Promise<void> {
  const heard = (text: string) =>
    until(
      `bob heard ${text}`,
      async () => bob.store.dead || (await said(bob.now, room)).includes(text),
    );
  await bob.step(() => Promise.all([bob.say(room, "b1"), bob.say(room, "b2")]));
  await alice.client.send(room, "a1");
  await bob.step(() => heard("a1"));
  bob.spoil = 1;
  await alice.client.send(room, "a2");
  await bob.step(() => heard("a2"));
  await bob.step(() => bob.now.client.rooms.renew(room));
  await bob.step(() => bob.say(room, "b3"));
  await alice.client.rooms.renew(room);
  await alice.client.send(room, "a3");
  await bob.step(() => heard("a3"));
  await bob.again(async () => {
    await bob.store.disk.commit([{ table: "groups", key: room, value: undefined }]);
  });
  await bob.step(() => bob.say(room, "b4"));
}

/** A room of its own for every death; bob dies at his `write`th write from now on. */
async function prepare(stage: Stage, write: number, moment: Moment) {
  const { alice, carol, bob } = stage;
  const { room } = await alice.client.rooms.create(`${write} ${moment}`);
  for (const name of ["carol", "bob"]) await alice.client.rooms.add(room, name);
  await inOneEpoch(stage, room);
  const witness = await keptGroup(carol.store, room);
  bob.left.clear();
  bob.acknowledged.length = 0;
  bob.store.arm(write, moment);
  return { room, witness };
}

/** Dies, and loses nothing by it. False where the script has fewer writes. */
async function run(stage: Stage, write: number, moment: Moment): Promise<boolean> {
  const { hostile, alice, carol, bob } = stage;
  const { room, witness } = await prepare(stage, write, moment);
  const deaths = bob.store.deaths;
  await script(stage, room);
  bob.store.disarm();
  const died = bob.store.deaths > deaths;

  // Once more from what is on the disk, and the room goes on.
  await bob.again();
  await alice.client.send(room, "a5");
  await bob.step(() => bob.say(room, "b5"));
  const fromAlice = ["a1", "a2", "a3", "a5"];
  for (const person of [alice, bob.now, carol]) {
    await until(`${person.name} has everything`, async () => {
      const texts = await said(person, room);
      return [...fromAlice, ...bob.acknowledged].every((text) => texts.includes(text));
    });
  }
  await until(
    "nothing waits to be sent",
    async () => (await bob.store.disk.scan("outbox", { limit: 1 })).length === 0,
  );
  await inOneEpoch(stage, room);
  const all = await said(alice, room);
  expect(new Set(all).size, "nothing is doubled").toBe(all.length);
  expect(await said(bob.now, room)).toEqual(all);
  expect(await said(carol, room)).toEqual(all);
  for (const person of [alice, bob.now, carol]) {
    await until(`${person.name} has no scars`, async () =>
      (await entries(person)).every(
        ({ room: of, type }) =>
          of !== room || (type !== "messages-missing" && type !== "history-unavailable"),
      ),
    );
  }
  // Only the group that was lost had to be come back into: no crash loses one.
  const rejoins = (await entries(alice)).filter(
    (entry) => entry.room === room && entry.type === "membership" && entry.change === "rejoined",
  );
  expect(rejoins).toHaveLength(1);
  await noKeyTwice(witness, await hostile.records(room), [...bob.left.values()]);
  await alice.client.rooms.remove(room, "bob");
  return died;
}

async function inOneEpoch({ alice, carol, bob }: Stage, room: string): Promise<void> {
  await until("all are in one epoch", async () => {
    const stores = [alice.store, carol.store, bob.store.disk];
    const epochs = await Promise.all(
      stores.map((store) => keptEpoch(store, room).catch(() => "none")),
    );
    return new Set(epochs).size === 1 && !epochs.includes("none");
  });
}

/** Opens all that left bob as a member would: what opens as replayed took a generation that other bytes had. */
async function noKeyTwice(
  witness: Group,
  records: readonly RecordMessage[],
  sealed: readonly Uint8Array[],
): Promise<void> {
  const unopened = new Set(sealed);
  const openAll = async () => {
    for (const bytes of unopened) {
      try {
        await witness.open(bytes);
        unopened.delete(bytes);
      } catch (error) {
        if (!(error instanceof MlsError) || error.code === "REPLAYED") throw error;
      }
    }
  };
  for (const { kind, data } of records) {
    if (kind !== RecordKind.HANDSHAKE) continue;
    const { commit } = decodeEnvelope(data);
    if (!commit || commit.bytes === 0) continue;
    await openAll();
    await witness
      .process(commit.inline, { expect: "anything", judge: () => true })
      .catch((error) => {
        // Records of before the witness looked on.
        if (!(error instanceof MlsError) || error.code !== "WRONG_EPOCH") throw error;
      });
  }
  await openAll();
  expect(unopened.size, "what left bob was sealed for the room").toBe(0);
}

async function begin(hostile: HostileWorld, store?: DyingStore): Promise<Stage> {
  const alice = await hostile.world.person("alice", { random: () => 0 });
  const carol = await hostile.world.person("carol", { random: () => 0 });
  const bob = new Mortal(hostile, "bob", store);
  await bob.join();
  return { hostile, alice, carol, bob };
}

test("whatever write a device dies at, nothing is lost, nothing doubled, and no key serves twice", async () => {
  await using hostile = await HostileWorld.start({}, quickSuite);
  const stage = await begin(hostile);
  let write = 0;
  for (let died = true; died; ) {
    write++;
    died = false;
    for (const moment of ["before", "after"] as const) {
      try {
        died = (await run(stage, write, moment)) || died;
      } catch (cause) {
        throw new Error(`at write ${write}, ${moment} it took effect`, { cause });
      }
    }
  }
  expect(write, "writes of the script").toBeGreaterThan(15);
}, 600_000);

test("whoever dies while an invitation is opened is in afterwards, by that invitation", async () => {
  await using hostile = await HostileWorld.start();
  const alice = await hostile.world.person("alice", { random: () => 0 });
  const bob = new Mortal(hostile, "bob");
  await bob.join();
  let deaths = 0;
  for (let write = 1; write <= 4; write++) {
    for (const moment of ["before", "after"] as const) {
      const { room } = await alice.client.rooms.create(`${write} ${moment}`);
      const before = bob.store.deaths;
      bob.store.arm(write, moment);
      await alice.client.rooms.add(room, "bob");
      await alice.client.send(room, "welcome bob");
      const isIn = async () => (await said(bob.now, room)).includes("welcome bob");
      await until("bob is in, or dead", async () => bob.store.dead || (await isIn()));
      bob.store.disarm();
      deaths += bob.store.deaths - before;
      await bob.again();
      await until("bob is in", isIn);
      const rejoined = (await entries(alice)).filter(
        (entry) =>
          entry.room === room && entry.type === "membership" && entry.change === "rejoined",
      );
      expect(rejoined, `write ${write}, ${moment}`).toHaveLength(0);
    }
  }
  // Two writes at least bring somebody in: the room that one hears of, and its group.
  expect(deaths).toBeGreaterThanOrEqual(4);
});

/** As if the reservation of generations were not stored before the first byte sealed under them leaves. */
function forgetsReservations({ table, key, value }: StoreChange): StoreChange {
  if (table !== "rooms" || !value) return { table, key, value };
  const { reserved: _, ...state } = JSON.parse(new TextDecoder().decode(value));
  return { table, key, value: new TextEncoder().encode(JSON.stringify(state)) };
}

test("control: on a disk that forgets reservations a key serves twice at some write", async () => {
  await using hostile = await HostileWorld.start({}, quickSuite);
  const stage = await begin(hostile, new DyingStore(forgetsReservations));
  const { alice, bob } = stage;
  let found: unknown;
  for (let write = 1; write <= 8 && found === undefined; write++) {
    const { room, witness } = await prepare(stage, write, "before");
    // Others open nothing that has a key of before: what bob waits for then does not come.
    await script(stage, room).catch(() => {});
    bob.store.disarm();
    const checked = noKeyTwice(witness, await hostile.records(room), [...bob.left.values()]);
    await checked.catch((error: unknown) => {
      if (error instanceof MlsError) found = error.code;
    });
    await alice.client.rooms.remove(room, "bob");
  }
  expect(found).toBe("REPLAYED");
}, 120_000);
