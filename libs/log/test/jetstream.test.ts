import { randomBytes } from "node:crypto";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { systemClock } from "@sotto/clock";
import { describeWithNats, natsServer } from "@sotto/testkit";
import { expect, test } from "vitest";
import { follow, type Log } from "../src/index.ts";
import { openJetStreamLog } from "../src/jetstream.ts";
import { parseTopic } from "../src/topic.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const topic = parseTopic("0123456789abcdef");
const clock = systemClock;
const freshName = () => `T${randomBytes(6).toString("hex")}`;

function request(text: string, expectHandshake = 0, kind: "h" | "m" = "m") {
  const key = randomBytes(32).toString("hex");
  return { topic, kind, key, expectHandshake, data: Buffer.from(text) };
}

async function texts(log: Log): Promise<string[]> {
  const records = await log.read({ topic, after: 0, limit: 1000 });
  return records.map(({ data }) => Buffer.from(data).toString());
}

await describeWithNats("the JetStream log", (url) => {
  test("an incarnation outlives its process, and a stream made anew has another", async () => {
    const name = freshName();
    const first = await openJetStreamLog({ server: url, clock, name });
    const { incarnation } = await first.head(topic);
    await first[Symbol.asyncDispose]();
    await using again = await openJetStreamLog({ server: url, clock, name });
    expect((await again.head(topic)).incarnation).toBe(incarnation);
    await using connection = await connectTo(url);
    const manager = await jetstreamManager(connection);
    for (let index = 0; index < 4; index++) await manager.streams.delete(`${name}_${index}`);
    await using other = await openJetStreamLog({ server: url, clock, name });
    expect((await other.head(topic)).incarnation).not.toBe(incarnation);
    const stale = again.read({ topic, after: 0, limit: 1, incarnation });
    await expect(stale).rejects.toMatchObject({ code: "LOG_RESET" });
  });

  test("two processes that open it at once agree on one incarnation", async () => {
    const name = freshName();
    const opening = Array.from({ length: 4 }, () => openJetStreamLog({ server: url, clock, name }));
    const logs = await Promise.all(opening);
    const heads = await Promise.all(logs.map((log) => log.head(topic)));
    expect(new Set(heads.map(({ incarnation }) => incarnation)).size).toBe(1);
    for (const log of logs) await log[Symbol.asyncDispose]();
  });

  test("another number of streams is refused, since topics would be sought elsewhere", async () => {
    const name = freshName();
    await using log = await openJetStreamLog({ server: url, clock, name, streams: 2 });
    void log;
    const other = openJetStreamLog({ server: url, clock, name, streams: 3 });
    await expect(other).rejects.toThrow(/is one of 2, but 3 are configured/);
  });

  test("the server remembers keys for the window that the port states", async () => {
    const name = freshName();
    await using log = await openJetStreamLog({ server: url, clock, name, streams: 1 });
    void log;
    await using connection = await connectTo(url);
    const info = await (await jetstreamManager(connection)).streams.info(`${name}_0`);
    expect(info.config.duplicate_window).toBe(10 * 60 * 1e9);
  });

  test("a batch with a duplicate or a stale record in it stores the others", async () => {
    await using log = await openJetStreamLog({ server: url, clock, name: freshName() });
    const known = request("known");
    const { position } = await log.append(known);
    const outcomes = await Promise.allSettled([
      log.append(request("a")),
      log.append(known),
      log.append(request("stale", 77)),
      log.append(request("b")),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(outcomes[1]).toMatchObject({ value: { position, duplicate: true } });
    expect(outcomes[2]).toMatchObject({ reason: { code: "STALE", handshake: 0 } });
    expect(await texts(log)).toEqual(["known", "a", "b"]);
  });

  test("messages that wait together are stored in one batch, with their own sequences", async () => {
    await using connection = await connectTo(url);
    const name = freshName();
    await using log = await openJetStreamLog({ server: connection, clock, name, streams: 1 });
    const batches = new Set<string>();
    connection.subscribe(`${name}.live.>`, {
      callback: (_error, message) => {
        batches.add(message.headers?.get("Nats-Batch-Id") ?? "");
      },
    });
    const all = Array.from({ length: 50 }, (_, index) => log.append(request(`${index}`)));
    const sequences = (await Promise.all(all)).map(({ position }) => position.sequence);
    const records = await log.read({ topic, after: 0, limit: 100 });
    expect(records.map(({ sequence }) => sequence)).toEqual(sequences);
    await expect.poll(() => batches.size).toBe(1);
    expect([...batches][0]).toMatch(/^[0-9a-f]{32}$/);
  });

  test("of rivals on connections of their own exactly one wins, again and again", async () => {
    const name = freshName();
    const opening = Array.from({ length: 8 }, () => openJetStreamLog({ server: url, clock, name }));
    const logs = await Promise.all(opening);
    for (let round = 0, handshake = 0; round < 10; round++) {
      const rivals = logs.flatMap((log) =>
        Array.from({ length: 4 }, () => log.append(request(`${round}`, handshake, "h"))),
      );
      const outcomes = await Promise.allSettled(rivals);
      const won = outcomes.filter((outcome) => outcome.status === "fulfilled");
      expect(won).toHaveLength(1);
      handshake = won[0]?.value.position.sequence ?? 0;
    }
    expect(await texts(logs[0] as Log)).toHaveLength(10);
    for (const log of logs) await log[Symbol.asyncDispose]();
  });

  test("a full stream answers FULL, and reading goes on", async () => {
    const limits = { streams: 1, streamBytesMax: 4096 };
    await using log = await openJetStreamLog({ server: url, clock, name: freshName(), ...limits });
    await log.append(request("kept"));
    const large = log.append(request("x".repeat(5000)));
    await expect(large).rejects.toMatchObject({ code: "FULL" });
    const many = Array.from({ length: 3 }, () => log.append(request("x".repeat(3000))));
    const outcomes = await Promise.allSettled(many);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect((await texts(log)).map((text) => text.length)).toEqual([4, 3000]);
  });
});

test("a follower reads what it missed while the server was away", { timeout: 60_000 }, async () => {
  await using folder = await temporaryFolder();
  const options = { clock, streams: 1, timeoutMs: 2000 };
  const first = await natsServer({ storeFolder: folder.path });
  const port = Number(new URL(first.url).port);
  await using log = await openJetStreamLog({ ...options, server: first.url });
  await log.append(request("before"));
  const stop = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    const tail = { topic, after: 0, clock, headCheckMs: 500 };
    for await (const { data } of follow(log, tail, stop.signal))
      seen.push(Buffer.from(data).toString());
  })().catch(() => {});
  await expect.poll(() => seen).toEqual(["before"]);
  await first[Symbol.asyncDispose]();
  await expect(log.append(request("lost"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await using second = await natsServer({ storeFolder: folder.path, port });
  await using other = await openJetStreamLog({ ...options, server: second.url });
  await other.append(request("after"));
  await expect.poll(() => seen.at(-1), { timeout: 20_000 }).toBe("after");
  expect(seen).toEqual(await texts(other));
  stop.abort();
  await following;
});

test("a server that is too old is refused by name", async () => {
  const server = { info: { version: "2.11.9", max_payload: 8_000_000 } } as NatsConnection;
  const opening = openJetStreamLog({ server, clock });
  await expect(opening).rejects.toThrow("nats-server 2.11.9 is too old: Sotto needs 2.12 or newer");
});

async function connectTo(url: string) {
  const connection = await connect({ servers: url });
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}
