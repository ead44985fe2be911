import { decodeEnvelope } from "@sotto/identity";
import { RecordKind, toHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import { spoiled, TamperingTransport } from "./tampering-transport.ts";
import { entries, type Joined, texts, until, World } from "./world.ts";

/** Lets the server spoil or drop the nth message records from now on. */
function nth(
  transport: TamperingTransport,
  wanted: readonly number[],
  what: TamperingTransport["tamper"],
): void {
  let count = 0;
  transport.tamper = (record) => {
    if (record.kind !== RecordKind.MESSAGE) return record;
    return wanted.includes(++count) ? what(record) : record;
  };
}

const kinds = async (person: Parameters<typeof entries>[0]) =>
  (await entries(person)).map(({ type }) => type);

test("a message that cannot be opened comes again from its sender, and leaves no scar", async () => {
  await using world = await World.start();
  const transport = new TamperingTransport();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport });
  const carol = await world.person("carol");
  await alice.client.send("general", "one");
  await until("bob heard one", async () => (await texts(bob)).includes("one"));
  nth(transport, [1, 2], spoiled);
  const [two, three] = [
    await alice.client.send("general", "two"),
    await carol.client.send("general", "three"),
  ];
  await alice.client.send("general", "four");
  await until("bob saw that something is there", async () =>
    (await kinds(bob)).includes("history-unavailable"),
  );
  await until("bob has all", async () => (await texts(bob)).length === 4);
  const shown = await entries(bob);
  expect(shown.filter(({ type }) => type === "history-unavailable")).toEqual([]);
  expect(shown.filter(({ type }) => type === "messages-missing")).toEqual([]);
  for (const [text, { sequence }] of [["two", two] as const, ["three", three] as const])
    expect(shown.find((entry) => entry.type === "message" && entry.text === text)).toMatchObject({
      sequence,
    });
  expect(bob.client.cannotOpen).toBe(2);
  expect(await texts(bob)).toEqual(["one", "two", "three", "four"]);
  // Nobody else hears any of it twice.
  expect(await texts(alice)).toEqual(["one", "two", "three", "four"]);
  expect(await texts(carol)).toEqual(["one", "two", "three", "four"]);
});

test("a message that the server held back is noticed, and comes again from its sender", async () => {
  await using world = await World.start();
  const transport = new TamperingTransport();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport });
  await alice.client.send("general", "one");
  await until("bob heard one", async () => (await texts(bob)).includes("one"));
  nth(transport, [1, 2], () => undefined);
  const held = await alice.client.send("general", "two");
  await alice.client.send("general", "three");
  await alice.client.send("general", "four");
  await until("bob is told", async () => (await kinds(bob)).includes("messages-missing"));
  expect((await entries(bob)).find(({ type }) => type === "messages-missing")).toMatchObject({
    sender: alice.client.profile.user,
    device: alice.client.profile.device,
    count: 2,
  });
  await until("bob has all", async () => (await texts(bob)).length === 4);
  expect(await kinds(bob)).not.toContain("messages-missing");
  const again = (await entries(bob)).find(({ sequence }) => sequence === held.sequence);
  expect(again).toMatchObject({ type: "message", text: "two" });
});

test("a message that the server shows twice, or late, is shown once and makes no noise for ever", async () => {
  await using world = await World.start();
  const transport = new TamperingTransport();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport });
  await alice.client.send("general", "one");
  await until("bob heard one", async () => (await texts(bob)).includes("one"));
  // "two" comes under the sequence of "three", and the other way round.
  const waiting: Uint8Array[] = [];
  transport.tamper = (record) => {
    if (record.kind !== RecordKind.MESSAGE || waiting.length > 1) return record;
    waiting.push(record.data);
    return waiting.length === 1 ? undefined : record;
  };
  await alice.client.send("general", "two");
  await alice.client.send("general", "three");
  await until("bob heard three", async () => (await texts(bob)).includes("three"));
  transport.tamper = (record) =>
    record.kind === RecordKind.MESSAGE ? { ...record, data: waiting[0] ?? record.data } : record;
  await alice.client.send("general", "four");
  await until("bob heard two", async () => (await texts(bob)).includes("two"));
  transport.tamper = (record) => record;
  await alice.client.send("general", "five");
  await until("bob has all", async () => (await texts(bob)).length === 5);
  expect([...(await texts(bob))].sort()).toEqual(["five", "four", "one", "three", "two"]);
  // Bob may have asked for "two" before it came: then an answer to him was held back as well.
  await until("nothing is missing", async () => !(await kinds(bob)).includes("messages-missing"));
});

/** Stops bob, spoils what he keeps of general, lets something be said meanwhile, and opens him again. */
async function broken(world: World, spoil: (bob: Joined, room: string) => Promise<void>) {
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.send("general", "before");
  await until("bob heard", async () => (await texts(bob)).includes("before"));
  const { room } = bob.client.rooms.find("general");
  await bob[Symbol.asyncDispose]();
  await spoil(bob, room);
  await alice.client.send("general", "meanwhile");
  return { alice, back: await world.open("bob", bob.store), room };
}

test.each([
  ["is gone", undefined],
  ["cannot be read", new Uint8Array([1, 2, 3])],
])("a device whose group %s comes back by itself and gets what it missed", async (_, value) => {
  await using world = await World.start();
  const { alice, back, room } = await broken(world, async (bob, key) =>
    bob.store.commit([{ table: "groups", key, value }]),
  );
  const notices: string[] = [];
  void (async () => {
    for await (const event of back.client.live())
      if (event.type === "notice" && event.room === room) notices.push(event.text);
  })();
  await until("bob has what was said meanwhile", async () =>
    (await texts(back)).includes("meanwhile"),
  );
  await back.client.send("general", "here again");
  await until("alice hears bob", async () => (await texts(alice)).includes("here again"));
  expect(await texts(back)).toEqual(["before", "meanwhile", "here again"]);
  expect(await texts(alice)).toEqual(["before", "meanwhile", "here again"]);
  expect(await kinds(back)).not.toContain("history-unavailable");
  expect(notices).toEqual([expect.stringMatching(/came back by itself/)]);
  // Also for who listens later.
  await back[Symbol.asyncDispose]();
  const later = await world.open("bob", back.store);
  expect(await entries(later)).toContainEqual(
    expect.objectContaining({ type: "notice", room, text: notices[0] }),
  );
  expect(await kinds(alice)).not.toContain("messages-missing");
});

test("a device that comes back again and again is told to wait", async () => {
  await using world = await World.start();
  const [alice, first] = await world.people("alice", "bob");
  const { room } = first.client.rooms.find("general");
  let bob = first;
  for (let i = 0; i < 3; i++) {
    await bob[Symbol.asyncDispose]();
    await bob.store.commit([{ table: "groups", key: room, value: undefined }]);
    bob = await world.open("bob", bob.store);
    await until("bob is back", () => bob.client.rooms.find("general").phase === "active");
  }
  await bob[Symbol.asyncDispose]();
  await bob.store.commit([{ table: "groups", key: room, value: undefined }]);
  bob = await world.open("bob", bob.store);
  const told = (async () => {
    for await (const event of bob.client.live()) if (event.type === "notice") return event.text;
    return "";
  })();
  expect(await told).toMatch(/4th time within an hour/);
  await alice.client.send("general", "are you there?");
  expect(bob.client.rooms.find("general").phase).toBe("lost");
});

test.each([
  ["once", 1],
  ["for good", Number.POSITIVE_INFINITY],
])(
  "a device from which a change of the room is held back %s goes on with the others",
  async (_, times) => {
    await using world = await World.start();
    const transport = new TamperingTransport();
    const alice = await world.person("alice");
    const bob = await world.person("bob", { transport });
    await alice.client.send("general", "one");
    await until("bob heard one", async () => (await texts(bob)).includes("one"));
    let first: bigint | undefined;
    let held = 0;
    transport.tamper = (record) => {
      if (record.kind !== RecordKind.HANDSHAKE) return record;
      // Bob may be the one who lets carol in: without his own commit he would not tell her what the room is called.
      const by = toHex(decodeEnvelope(record.data).committer?.device ?? new Uint8Array());
      if (by === bob.client.profile.device) return record;
      first ??= record.sequence;
      return record.sequence === first && held++ < times ? undefined : record;
    };
    const carol = await world.person("carol");
    await alice.client.send("general", "two");
    await alice.client.rooms.renew("general");
    await carol.client.send("general", "three");
    await until("bob has all", async () => (await texts(bob)).length === 3);
    expect(await texts(bob)).toEqual(["one", "two", "three"]);
    await bob.client.send("general", "four");
    await until("carol hears bob", async () => (await texts(carol)).includes("four"));
    for (const person of [alice, bob, carol])
      await until(
        `${person.name} sees all three`,
        () => person.client.rooms.members("general").length === 3,
      );
    // Where it does not come again bob asks for it alone: nobody has to come back.
    const rejoins = (await entries(alice)).filter(
      (entry) => entry.type === "membership" && entry.change === "rejoined",
    );
    expect(rejoins).toEqual([]);
    expect(await kinds(bob)).not.toContain("history-unavailable");
  },
);

test.each([
  ["once", 1],
  ["for good", Number.POSITIVE_INFINITY],
])(
  "a device from which the last change of the room is held back %s looks for it when it sends",
  async (_, times) => {
    await using world = await World.start();
    const transport = new TamperingTransport();
    const alice = await world.person("alice");
    const bob = await world.person("bob", { transport });
    await alice.client.send("general", "one");
    await until("bob heard one", async () => (await texts(bob)).includes("one"));
    let held = 0;
    transport.tamper = (record) => {
      if (record.kind !== RecordKind.HANDSHAKE) return record;
      return held++ < times ? undefined : record;
    };
    await alice.client.rooms.renew("general");
    await until("it is held back", () => held > 0);
    await alice.client.send("general", "two");
    await bob.client.send("general", "three");
    await until("alice hears bob", async () => (await texts(alice)).includes("three"));
    expect(await texts(bob)).toEqual(["one", "two", "three"]);
    expect(bob.client.rooms.find("general").phase).toBe("active");
  },
);
