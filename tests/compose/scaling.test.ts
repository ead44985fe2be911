import { createHash, randomBytes } from "node:crypto";
import type { MediaSource } from "@sotto/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Company, entries, type Joined, texts, until } from "../scenarios/company.ts";
import { type Container, docker, metricOf, Stack } from "./stack.ts";

const names = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"] as const;

describe("four edges, and two of everything else that may be", () => {
  let stack: Stack;
  let company: Company;
  let people: Joined[];

  beforeAll(async () => {
    stack = await Stack.up({ scale: { "tcp-edge": 4, media: 2, presence: 2, keyserver: 2 } });
    const invite = await stack.ownerInvite();
    company = new Company({ ownerInvite: () => invite });
    people = await company.people(...names);
    for (const person of people)
      await until(
        `${person.name} sees everybody`,
        () => person.client.rooms.members("general").length === names.length,
      );
  });

  afterAll(async () => {
    await company?.[Symbol.asyncDispose]();
    await stack?.[Symbol.asyncDispose]();
  });

  test("a room whose members sit on all of them behaves as on one", async () => {
    for (const edge of await stack.containers("tcp-edge")) {
      const connections = metricOf(await stack.metrics(edge), "sotto_tcp_edge_connections");
      expect(connections, edge.name).toBeGreaterThan(0);
    }
    await Promise.all(
      Array.from({ length: 240 }, (_, i) =>
        people[i % people.length]?.client.send("general", `message ${i}`),
      ),
    );
    await everybodyHas(people, 240);
  });

  test("everybody sees who is here, whichever replica announces it", async () => {
    const seenBy = (person: Joined) => person.client.presence().size;
    for (const person of people)
      await until(`${person.name} sees the others`, () => seenBy(person) === names.length - 1);
    const [alice, bob] = people as [Joined, Joined];
    for (const replica of await stack.containers("presence")) {
      await docker("kill", "--signal", "KILL", replica.id);
      await bob.client.setQuiet(true);
      await until("bob is seen leaving", () => !isSeen(alice, bob), 12_000);
      await bob.client.setQuiet(false);
      await until("bob is seen again", () => isSeen(alice, bob), 12_000);
      await docker("start", replica.id);
      await healthy(replica.id);
    }
  });

  test("a file shared through one media replica is read through the other", async () => {
    const [alice, bob] = people as [Joined, Joined];
    const film = randomBytes(9_000_000);
    const { object } = await alice.client.media.share("general", sourceOf(film));
    await until("the film is announced", async () =>
      (await entries(bob)).some((entry) => entry.type === "media" && entry.object === object),
    );
    for (const replica of await stack.containers("media")) {
      await docker("pause", replica.id);
      try {
        const media = await retried(() => bob.client.media.open(object));
        const read = await retried(() => bytesOf(media.read(0, media.bytes)));
        expect(read.equals(film)).toBe(true);
      } finally {
        await docker("unpause", replica.id);
      }
    }
  });

  test("an edge that is stopped hands its clients over: nothing lost, nothing twice", async () => {
    const before = (await texts(people[0] as Joined)).length;
    const edge = await busiestEdge(stack);
    const sending = Promise.all(
      people.map(async (person, at) => {
        for (let i = 0; i < 20; i++) {
          await person.client.send("general", `while draining ${at}/${i}`);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }),
    );
    const startedMs = performance.now();
    await docker("stop", edge.id);
    try {
      const state = await docker("inspect", "--format", "{{.State.ExitCode}}", edge.id);
      expect(state.trim()).toBe("0");
      for (const person of people) await person.client.online(10_000);
      expect(performance.now() - startedMs).toBeLessThan(10_000);
    } finally {
      await sending;
      await docker("start", edge.id);
      await healthy(edge.id);
    }
    await everybodyHas(people, before + people.length * 20);
  });
});

/** The edge that holds the most clients: at least one. */
async function busiestEdge(stack: Stack): Promise<Container> {
  const edges = await Promise.all(
    (await stack.containers("tcp-edge")).map(async (edge) => ({
      edge,
      held: metricOf(await stack.metrics(edge), "sotto_tcp_edge_connections") ?? 0,
    })),
  );
  const [busiest] = edges.sort((a, b) => b.held - a.held);
  if (!busiest || busiest.held === 0) throw new Error("no edge holds a client");
  return busiest.edge;
}

/** Everybody has `count` texts, no two alike, in one order. */
async function everybodyHas(people: readonly Joined[], count: number): Promise<void> {
  for (const person of people)
    await until(`${person.name} heard all`, async () => (await texts(person)).length >= count);
  const [first = [], ...others] = await Promise.all(people.map((person) => texts(person)));
  expect(first).toHaveLength(count);
  expect(new Set(first).size).toBe(count);
  for (const other of others) expect(other).toEqual(first);
}

function isSeen(by: Joined, other: Joined): boolean {
  return by.client.presence().has(other.client.profile.user);
}

async function healthy(id: string): Promise<void> {
  await until(
    "the container is healthy again",
    async () =>
      (await docker("inspect", "--format", "{{.State.Health.Status}}", id)).trim() === "healthy",
    60_000,
  );
}

function sourceOf(bytes: Uint8Array): MediaSource {
  return {
    name: "film.mp4",
    bytes: bytes.length,
    mime: "video/mp4",
    fingerprint: createHash("sha256").update(bytes).digest("hex"),
    async *read(start) {
      for (let at = start; at < bytes.length; at += 500_000) yield bytes.subarray(at, at + 500_000);
    },
  };
}

async function bytesOf(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const part of parts) chunks.push(part);
  return Buffer.concat(chunks);
}

/** What meets a replica in the moment of its pause is tried again. */
async function retried<Result>(task: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await task();
    } catch (error) {
      if (attempt === 10) throw error;
    }
  }
}
