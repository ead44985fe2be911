import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Log, Sequence } from "@sotto/log";
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
import { texts, until, World } from "./world.ts";

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

/** A log that answers the next message as if it had stored it, once `forgets` was called. */
function forgetful() {
  let forgetting = false;
  const log = (below: Log): Log => ({
    append: async (request) => {
      if (request.kind !== "m" || !forgetting) return await below.append(request);
      forgetting = false;
      const { incarnation, last } = await below.head(request.topic);
      return { position: { incarnation, sequence: (last + 1) as Sequence }, duplicate: false };
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
    forgets: () => {
      forgetting = true;
    },
  };
}

test("a message that the server acknowledged and has not stored goes again after a reconnect, once", async () => {
  const { log, forgets } = forgetful();
  await using world = await World.start(undefined, undefined, { log });
  const transport = new MeddlingTransport();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport });
  await bob.client.send("general", "one");
  await until("alice reads one", async () => (await texts(alice)).includes("one"));
  forgets();
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
  const own = bob.client.profile.device;
  // What others say he needs, to be caught up.
  transport.tamper = (record) =>
    record.kind === RecordKind.MESSAGE && toHex(readStoredMessage(record.data).device) === own
      ? undefined
      : record;
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
