import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Appended, type AppendRequest, type Log, LogError, type Sequence } from "@sotto/log";
import {
  ErrorCode,
  encodeEvent,
  fromHex,
  RecordKind,
  readStoredMessage,
  toHex,
} from "@sotto/protocol";
import type { Transport, TransportConnection } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { TamperingTransport } from "./tampering-transport.ts";
import { entries, type Joined, texts, until, World } from "./world.ts";

/** A transport that puts frames of its own among the server's, and cuts connections. */
class MeddlingTransport implements Transport {
  inject: (bytes: Uint8Array) => void = () => {};
  cut: () => void = () => {};

  async connect(
    ...[address, events, signal]: Parameters<Transport["connect"]>
  ): Promise<TransportConnection> {
    const connection = await tlsTransport.connect(address, events, signal);
    this.inject = (bytes) => events.data(bytes);
    this.cut = () => connection.close();
    return connection;
  }
}

test("a room that was interrupted on a connection that is gone is read on the new one", async () => {
  await using world = await World.start();
  const transport = new MeddlingTransport();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport });
  const [room] = bob.client.rooms.list();
  const error = { code: ErrorCode.UNAVAILABLE };
  const value = { room: fromHex(room?.room ?? ""), error };
  transport.inject(encodeEvent(0, { body: { case: "roomInterrupted", value } }));
  transport.cut();
  await until("bob is back", async () => {
    await alice.client.send("general", "are you there?");
    return (await texts(bob)).includes("are you there?");
  });
  // Longer than the wait after which an interrupted room is asked for again.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await alice.client.send("general", "and now?");
  await until("bob still hears", async () => (await texts(bob)).includes("and now?"));
  expect((await texts(bob)).at(-1)).toBe("and now?");
});

/** A log that does something else with one message, the next one after `begin` was called. */
function meddling(instead: (below: Log, request: AppendRequest) => Promise<Appended>) {
  let next = false;
  const log = (below: Log): Log => ({
    append: async (request) => {
      if (request.kind !== "m" || !next) return await below.append(request);
      next = false;
      return await instead(below, request);
    },
    read: (request) => below.read(request),
    head: (topic) => below.head(topic),
    live: (topic, deliver) => below.live(topic, deliver),
    topics: () => below.topics(),
    remove: (topic) => below.remove(topic),
    [Symbol.asyncDispose]: () => below[Symbol.asyncDispose](),
  });
  return {
    log,
    begin: () => {
      next = true;
    },
  };
}

/** Drops what this device said itself. What others say it needs, to be caught up. */
function withoutOwn({ client }: Joined): TamperingTransport["tamper"] {
  const own = client.profile.device;
  return (record) =>
    record.kind === RecordKind.MESSAGE && toHex(readStoredMessage(record.data).device) === own
      ? undefined
      : record;
}

test("a message that the server acknowledged and has not stored goes again after a reconnect, once", async () => {
  const { log, begin } = meddling(async (below, { topic }) => {
    const { incarnation, last } = await below.head(topic);
    return { position: { incarnation, sequence: (last + 1) as Sequence }, duplicate: false };
  });
  await using world = await World.start(undefined, undefined, { log });
  const transport = new MeddlingTransport();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport });
  await bob.client.send("general", "one");
  await until("alice reads one", async () => (await texts(alice)).includes("one"));
  begin();
  await bob.client.send("general", "two");
  await bob.client.send("general", "three");
  await until("alice reads three", async () => (await texts(alice)).includes("three"));
  transport.cut();
  for (const person of [alice, bob])
    await until(`${person.name} reads two`, async () => (await texts(person)).includes("two"));
  await bob.client.send("general", "four");
  await until("alice reads four", async () => (await texts(alice)).includes("four"));
  expect([...(await texts(alice))].sort()).toEqual(["four", "one", "three", "two"]);
  expect(await bob.store.scan("outbox", { limit: 1 })).toEqual([]);
});

test("so does one that was acknowledged before the server came back from an older copy", async () => {
  await using world = await World.start();
  const transport = new TamperingTransport();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport });
  await bob.client.send("general", "one");
  for (const person of [alice, bob])
    await until(`${person.name} reads one`, async () => (await texts(person)).includes("one"));
  await world.stopServer();
  const copy = join(world.folder, "copy");
  await cp(world.data, copy, { recursive: true });
  await world.startServer();
  transport.tamper = withoutOwn(bob);
  await bob.client.send("general", "two");
  await world.stopServer();
  await rm(world.data, { recursive: true });
  await cp(copy, world.data, { recursive: true });
  transport.tamper = (record) => record;
  await world.startServer();
  await until("bob reads two", async () => (await texts(bob)).includes("two"), 20_000);
  await alice.client.send("general", "three");
  await until("bob reads three", async () => (await texts(bob)).includes("three"), 20_000);
  expect(await texts(alice)).toEqual(["one", "two", "three"]);
});

test("a message that was acknowledged keeps its place after the one before it that was refused later", async () => {
  const { log, begin } = meddling(async () => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    throw new LogError("TOO_LARGE", "refused");
  });
  await using world = await World.start(undefined, undefined, { log });
  const transport = new TamperingTransport();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport });
  await bob.client.send("general", "one");
  await until("alice reads one", async () => (await texts(alice)).includes("one"));
  // So that the next but one is still in his outbox.
  transport.tamper = withoutOwn(bob);
  begin();
  const refused = expect(bob.client.send("general", "two")).rejects.toThrow();
  await bob.client.send("general", "three");
  await refused;
  await bob.client.send("general", "four");
  await until("alice reads four", async () => (await texts(alice)).includes("four"));
  expect(await texts(alice)).toEqual(["one", "three", "four"]);
  expect((await entries(alice)).map(({ type }) => type)).not.toContain("messages-missing");
});
