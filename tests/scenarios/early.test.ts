import { create } from "@bufbuild/protobuf";
import { fromHex, RecordKind, type Record as RecordMessage } from "@sotto/protocol";
import { MediaManifestSchema } from "@sotto/protocol/content";
import type { Sent, SottoClient } from "@sotto/sdk";
import { expect, test } from "vitest";
import { type Tampering, Wire } from "../trust/harness/wire.ts";
import { entries, type Joined, texts, until, World } from "./world.ts";

type How = "at once" | "one by one";

const lost: Tampering = {
  // What bob asks for does not help him.
  request: (body) => (body.case === "append" ? "lost" : undefined),
};

/** A person whose server holds back what comes, and what it holds. */
function heldBack(wire: Wire): RecordMessage[] {
  const held: RecordMessage[] = [];
  const record = (one: RecordMessage) => {
    held.push(one);
    return [];
  };
  wire.tampering = { ...lost, record };
  return held;
}

/**
 * Alice says "one" before a change of the room, carol two things after it and "four". Bob's server gives him those
 * two before everything else. Answers bob when he has read "four".
 */
async function early(
  world: World,
  how: How,
  two: (carol: SottoClient, room: string) => Promise<Sent[]>,
): Promise<Joined> {
  const wire = new Wire();
  const [alice, carol] = await world.people("alice", "carol");
  const bob = await world.person("bob", { transport: wire });
  await until("all are in", () => alice.client.rooms.members("general").length === 3);
  const { room } = bob.client.rooms.find("general");
  for (const { client } of [alice, carol]) await client.send(room, "hello");
  await until("bob heard both", async () => (await texts(bob)).length === 2);
  // Told to whoever comes in, a moment later: not among what is held back.
  const isTitle = ({ type }: { readonly type: string }) => type === "title";
  await until("bob heard the title", async () => (await entries(bob)).some(isTitle));
  const held = heldBack(wire);
  // Sequences that bob knows nothing of: there is room for what comes too early.
  const elsewhere = await alice.client.rooms.create("elsewhere");
  const free: number[] = [];
  for (const text of ["1", "2"])
    free.push((await alice.client.send(elsewhere.room, text)).sequence);
  await alice.client.send(room, "one");
  await alice.client.rooms.renew(room);
  const moved = (await two(carol.client, room)).map(({ sequence }) => BigInt(sequence));
  const last = BigInt((await carol.client.send(room, "four")).sequence);
  await until("the server has all", () => held.some(({ sequence }) => sequence === last));
  wire.tampering = lost;
  const tooEarly = held
    .filter(({ sequence }) => moved.includes(sequence))
    .map((record, i) => ({ ...record, sequence: BigInt(free[i] ?? 0) }));
  const others = held.filter(({ sequence }) => !moved.includes(sequence));
  const shown = [...tooEarly, ...others].sort((a, b) => Number(a.sequence - b.sequence));
  for (const record of shown) {
    for (const line of wire.lines) line.record(record);
    if (how === "one by one") await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await until("bob read four", async () => (await texts(bob)).includes("four"));
  return bob;
}

test.each<How>(["at once", "one by one"])(
  "what comes before the change that it was sealed under stands where it came, once, where all comes %s",
  async (how) => {
    await using world = await World.start();
    const bob = await early(world, how, async (carol, room) => {
      return [await carol.send(room, "two"), await carol.send(room, "three")];
    });
    expect((await texts(bob)).slice(2)).toEqual(["two", "three", "one", "four"]);
    const types = (await entries(bob)).map(({ type }) => type);
    expect(types).not.toContain("history-unavailable");
    expect(types).not.toContain("messages-missing");
  },
);

test.each<How>(["at once", "one by one"])(
  "what was announced and deleted too early is deleted, where all comes %s",
  async (how) => {
    await using world = await World.start();
    const object = fromHex("0c".repeat(16));
    const bob = await early(world, how, async (carol, name) => {
      const room = await carol.rooms.target(name);
      const deletion = { $typeName: "sotto.v1.MediaDeleted", object } as const;
      return [
        await room.say({ case: "media", value: create(MediaManifestSchema, { object }) }),
        await room.say({ case: "mediaDeleted", value: deletion }),
      ];
    });
    expect(await bob.client.media.list()).toEqual([]);
    const types = (await entries(bob)).map(({ type }) => type);
    expect(types.slice(-4)).toEqual(["media", "media-deleted", "message", "message"]);
  },
);

test("one's own message that the server gives twice at once stands once", async () => {
  await using world = await World.start();
  const wire = new Wire();
  const alice = await world.person("alice", { transport: wire });
  const elsewhere = await alice.client.rooms.create("elsewhere");
  let given = 0;
  wire.tampering = {
    record: (record) => {
      if (record.kind !== RecordKind.MESSAGE || given++ > 0) return undefined;
      return [record, { ...record, sequence: record.sequence + 1n }];
    },
  };
  await alice.client.send("general", "hello");
  // Takes the sequence that the second one was given under.
  await alice.client.send(elsewhere.room, "elsewhere");
  await alice.client.send("general", "again");
  await until("both are there", async () => (await texts(alice)).includes("again"));
  expect(await texts(alice)).toEqual(["hello", "elsewhere", "again"]);
});
