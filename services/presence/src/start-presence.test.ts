import { createInProcessBus } from "@sotto/bus/in-process";
import { createMetrics, silentLogger } from "@sotto/chassis";
import { ManualClock } from "@sotto/clock";
import {
  call,
  PresenceSnapshotRequestSchema,
  PresenceSnapshotResponseSchema,
  subjects,
} from "@sotto/interservice";
import { fromHex, PresenceState, parseUserId, toHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import { FakeEdge } from "../test/fake-edge.ts";
import { listenTo } from "../test/listener.ts";
import { type PresenceOptions, startPresence } from "./start-presence.ts";

const { ONLINE, IDLE, OFFLINE } = PresenceState;
const alice = parseUserId("aa".repeat(16));
const bob = parseUserId("bb".repeat(16));

async function world() {
  const bus = createInProcessBus();
  const clock = new ManualClock();
  const told = await listenTo(bus);
  const start = (replicaId: string, options: Partial<PresenceOptions> = {}) =>
    startPresence({
      bus,
      clock,
      logger: silentLogger,
      metrics: createMetrics({ service: "presence" }),
      replicaId,
      ...options,
    });
  const edge = (name: string, incarnation: string) =>
    new FakeEdge(bus, clock, name, incarnation).start();
  /** Long enough for a question and its answer to cross the bus. */
  const settle = async () => {
    for (let turn = 0; turn < 5; turn++) await clock.advance(1);
  };
  /** What people were told since the last time. */
  const news = async () => {
    await settle();
    return told.splice(0);
  };
  const snapshot = async () => {
    const asked = { users: [fromHex(alice), fromHex(bob)] };
    const answer = await call(
      bus,
      subjects.presenceSnapshot,
      PresenceSnapshotRequestSchema,
      PresenceSnapshotResponseSchema,
      asked,
      { timeoutMs: 1000 },
    );
    const entries = answer.entries.map(
      ({ user, state }) => `${toHex(user).slice(0, 2)} ${PresenceState[state]}`,
    );
    return { entries, ready: answer.ready };
  };
  return { bus, clock, start, edge, news, snapshot };
}

test("the only replica tells joined, idle and left at once, from its start on", async () => {
  const { start, edge, news } = await world();
  await using presence = await start("p1", { soleReplica: true });
  await using e1 = await edge("e1", "01");
  expect(presence.ready()).toBe(true);
  e1.set(alice, ONLINE);
  expect(await news()).toEqual(["aa ONLINE"]);
  e1.set(alice, IDLE);
  expect(await news()).toEqual(["aa IDLE"]);
  e1.set(alice, OFFLINE);
  expect(await news()).toEqual(["aa OFFLINE"]);
});

test("nothing is told twice, however often leases repeat it", async () => {
  const { start, edge, news, clock } = await world();
  await using _presence = await start("p1", { soleReplica: true });
  await using e1 = await edge("e1", "01");
  e1.set(alice, ONLINE);
  await clock.advance(20_000);
  expect(await news()).toEqual(["aa ONLINE"]);
});

test("a starting replica asks for leases, holds the whole, and says nothing for 6 s", async () => {
  const { start, edge, news, clock, snapshot } = await world();
  await using e1 = await edge("e1", "01");
  e1.set(alice, ONLINE);
  await clock.advance(100);
  await using presence = await start("p1");
  await clock.advance(1000);
  expect(await snapshot()).toEqual({ entries: ["aa ONLINE"], ready: false });
  await clock.advance(4900);
  expect(presence.ready()).toBe(false);
  expect(await news()).toEqual([]);
  await clock.advance(200);
  expect(presence.ready()).toBe(true);
  expect(await news()).toEqual(["aa ONLINE"]);
  expect((await snapshot()).ready).toBe(true);
});

test("a killed edge's users are gone within 10 s", async () => {
  const { start, edge, news, clock } = await world();
  await using _presence = await start("p1", { soleReplica: true });
  await using e1 = await edge("e1", "01");
  await using e2 = await edge("e2", "02");
  e1.set(alice, ONLINE);
  e1.set(bob, ONLINE);
  e2.set(bob, IDLE);
  await clock.advance(5000);
  await news();
  await e1.kill();
  await clock.advance(4000);
  expect(await news()).toEqual([]);
  await clock.advance(6000);
  expect((await news()).sort()).toEqual(["aa OFFLINE", "bb IDLE"]);
});

test("an edge's goodbye is told at once", async () => {
  const { start, edge, news } = await world();
  await using _presence = await start("p1", { soleReplica: true });
  await using e1 = await edge("e1", "01");
  e1.set(alice, ONLINE);
  await news();
  e1.lease(true);
  expect(await news()).toEqual(["aa OFFLINE"]);
});

test("a lost change is healed as soon as the next one shows the gap", async () => {
  const { start, edge, news, clock } = await world();
  await using _presence = await start("p1", { soleReplica: true });
  await using e1 = await edge("e1", "01");
  await clock.advance(600);
  e1.set(alice, ONLINE, true);
  expect(await news()).toEqual([]);
  e1.set(bob, ONLINE);
  expect((await news()).sort()).toEqual(["aa ONLINE", "bb ONLINE"]);
});

test("a late 'left' of an older incarnation is not told", async () => {
  const { start, edge, news } = await world();
  await using _presence = await start("p1", { soleReplica: true });
  await using old = await edge("e1", "01");
  old.set(alice, ONLINE);
  await old.kill();
  await using next = await edge("e1", "02");
  next.set(alice, ONLINE);
  expect(await news()).toEqual(["aa ONLINE"]);
  old.set(alice, OFFLINE);
  expect(await news()).toEqual([]);
});

test("two replicas act as one", async () => {
  const { start, edge, news, clock } = await world();
  await using _first = await start("p1");
  await using _second = await start("p2");
  await using e1 = await edge("e1", "01");
  await clock.advance(7000);
  e1.set(alice, ONLINE);
  e1.set(bob, ONLINE);
  e1.set(bob, IDLE);
  expect(await news()).toEqual(["aa ONLINE", "bb ONLINE", "bb IDLE"]);
});

test("when the speaking replica ends, the other goes on, misses nothing and repeats nothing", async () => {
  const { start, edge, news, clock } = await world();
  const first = await start("p1");
  await using _second = await start("p2");
  await using e1 = await edge("e1", "01");
  await clock.advance(7000);
  e1.set(alice, ONLINE);
  await news();
  await first[Symbol.asyncDispose]();
  e1.set(bob, ONLINE);
  expect(await news()).toEqual(["bb ONLINE"]);
  e1.set(alice, OFFLINE);
  expect(await news()).toEqual(["aa OFFLINE"]);
});

test("a replica that joins the speaking one repeats nothing, though its id is lower", async () => {
  const { start, edge, news, clock } = await world();
  await using _second = await start("p2");
  await using e1 = await edge("e1", "01");
  await clock.advance(7000);
  e1.set(alice, ONLINE);
  await news();
  await using _first = await start("p1");
  await clock.advance(10_000);
  expect(await news()).toEqual([]);
  e1.set(alice, IDLE);
  expect(await news()).toEqual(["aa IDLE"]);
});

test("messages that cannot be read disturb nothing", async () => {
  const { bus, start, edge, news } = await world();
  await using _presence = await start("p1", { soleReplica: true });
  await using e1 = await edge("e1", "01");
  const { presenceLease, presenceChange, presenceReplica } = subjects;
  for (const subject of [presenceLease, presenceChange, presenceReplica]) {
    bus.publish(subject, new Uint8Array());
    bus.publish(subject, new Uint8Array([0xff, 0xff, 0xff]));
  }
  e1.set(alice, ONLINE);
  expect(await news()).toEqual(["aa ONLINE"]);
});

test("what could not be published is told once the bus is back", async () => {
  const { bus, start, edge, news, clock } = await world();
  await using _presence = await start("p1", { soleReplica: true });
  await using e1 = await edge("e1", "01");
  const publish = bus.publish.bind(bus);
  bus.publish = (subject, data) => {
    if (subject === subjects.presenceState) throw new Error("no connection");
    publish(subject, data);
  };
  e1.set(alice, ONLINE);
  await clock.advance(10);
  bus.publish = publish;
  await clock.advance(600);
  expect(await news()).toEqual(["aa ONLINE"]);
});
