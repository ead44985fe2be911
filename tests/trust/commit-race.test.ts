import { decodeEnvelope } from "@sotto/identity";
import { RecordKind } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { type Joined, until } from "../scenarios/world.ts";
import { quickSuite } from "./config.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { keptEpoch, keptGroup } from "./harness/kept-group.ts";
import { storeCommit } from "./harness/lax-keyserver.ts";
import { notices } from "./harness/notices.ts";
import { Wire } from "./harness/wire.ts";

const devices = 8;
const commits = 200;

async function everybody(hostile: HostileWorld, count: number): Promise<Joined[]> {
  const people: Joined[] = [];
  for (let i = 0; i < count; i++) people.push(await hostile.world.person(`racer${i}`));
  for (const { client } of people)
    await until("all are in", () => client.rooms.members("general").length === count);
  return people;
}

async function epochs(people: readonly Joined[], room: string): Promise<Set<string>> {
  return new Set(await Promise.all(people.map(({ store }) => keptEpoch(store, room))));
}

test(`${devices} devices make ${commits} commits each for the same epochs: one winner an epoch, equal authenticators`, async () => {
  await using hostile = await HostileWorld.start({}, quickSuite);
  const people = await everybody(hostile, devices);
  const [first] = people as [Joined];
  const { room } = first.client.rooms.find("general");
  const from = (await keptGroup(first.store, room)).epoch;
  for (let round = 0; round < commits; round++) {
    await Promise.all(people.map(({ client }) => client.rooms.renew(room, from + round)));
    await until(
      "everybody stands in one epoch",
      async () => (await epochs(people, room)).size === 1,
    );
    const [standing = ""] = await epochs(people, room);
    expect(standing.split(" ")[0]).toBe(String(from + round + 1));
  }
  const winners = (await hostile.records(room))
    .filter(({ kind }) => kind === RecordKind.HANDSHAKE)
    .map(({ data }) => decodeEnvelope(data));
  expect(winners.map(({ epoch }) => Number(epoch))).toEqual(winners.map((_, at) => at));
  expect(winners.at(-1)?.epoch).toBe(BigInt(from + commits));
  // A race that always the same one wins is none.
  const committers = new Set(
    winners.slice(-commits).map(({ committer }) => String(committer?.device)),
  );
  expect(committers.size).toBeGreaterThan(1);
}, 240_000);

/**
 * The server tells two devices that both of their commits have won the same epoch, and stores both. Waits until
 * somebody is told `words` of it.
 */
async function bothWin(words: RegExp, checks: Partial<Checks> = {}) {
  await using hostile = await HostileWorld.start();
  const wire = new Wire();
  const people: Joined[] = [];
  for (const name of ["alice", "bob", "carol"])
    people.push(await hostile.world.person(name, { transport: wire, checks }));
  const [alice, bob, carol] = people as [Joined, Joined, Joined];
  for (const { client } of people)
    await until("all are in", () => client.rooms.members("general").length === 3);
  const { room } = alice.client.rooms.find("general");
  const told = people.map(({ client }) => notices(client));
  let commits = 0;
  const both = Promise.withResolvers<void>();
  wire.tampering = {
    request: (body) => {
      if (body.case !== "commit" || commits === 2) return undefined;
      if (++commits === 2) both.resolve();
      return { answer: both.promise.then(() => storeCommit(hostile, body)) };
    },
  };
  const { epoch } = await keptGroup(alice.store, room);
  // What the server tells its own services does not concern the clients.
  const committed = Promise.allSettled([
    alice.client.rooms.renew(room, epoch),
    bob.client.rooms.renew(room, epoch),
  ]);
  await committed;
  await until("carol has both", async () => {
    const last = (await hostile.records(room)).at(-1)?.sequence ?? 0n;
    const kept = JSON.parse(Buffer.from((await carol.store.get("rooms", room)) ?? "{}").toString());
    return kept.cursor >= Number(last);
  });
  const allTold = () => told.flat().join("\n");
  await until(`somebody is told ${words}`, () => words.test(allTold()));
  return {
    told: allTold(),
    epochs: [...(await epochs(people, room))],
    next: `${epoch + 1} `,
  };
}

test("a server that lets two commits win is told, and everybody follows the first alone", async () => {
  const {
    told,
    epochs: standing,
    next,
  } = await bothWin(/breaks its rules was not followed: another handshake record came first/);
  expect(told).not.toMatch(/made without it|lost step/);
  expect(standing).toHaveLength(1);
  expect(standing[0]?.startsWith(next)).toBe(true);
});

test("control: without that check whose commit came second is thrown out of step", async () => {
  const words = /a change of this device was made without it/;
  const { told } = await bothWin(words, { envelopeRules: false });
  expect(told).toMatch(words);
});
