import { hash } from "node:crypto";
import type { Topic } from "@sotto/log";
import {
  CloseCode,
  EnvelopeKind,
  ErrorCode,
  fromHex,
  RecordKind,
  SignalKind,
  toHex,
} from "@sotto/protocol";
import { describe, expect, it } from "vitest";
import { EdgeWorld } from "./edge-world.ts";
import type { TestClient } from "./test-client.ts";

const errorOf = (body: { case: string | undefined; value?: unknown }) =>
  body.case === "error" ? (body.value as { code: ErrorCode }).code : body.case;
const subscribe = (room: string, sequence = 0, incarnation: Uint8Array = new Uint8Array()) => ({
  case: "subscribe" as const,
  value: { room: fromHex(room), after: { incarnation, sequence: BigInt(sequence) } },
});
const sequences = (client: TestClient) => client.records.map((record) => Number(record.sequence));
const appendedAt = (body: { case: string | undefined; value?: unknown }) => {
  if (body.case !== "appended") throw new Error(`not appended: ${errorOf(body)}`);
  return body.value as { position?: { sequence: bigint }; duplicate: boolean };
};

describe("a device that came in by an external commit", () => {
  it("reads from its own record on, while another device of its user is there too", async () => {
    await using world = await EdgeWorld.start();
    const laptop = await world.keyserver.newDevice();
    const phone = await world.keyserver.newDevice(laptop.user);
    const room = await world.keyserver.newRoom(laptop);
    using a = await world.online(laptop);
    using b = await world.online(phone);
    await a.request(world.append(room, 1, "before"));
    expect(errorOf(await b.request(subscribe(room)))).toBe(ErrorCode.NOT_A_MEMBER);
    const entered = await world.keyserver.commit(room, EnvelopeKind.REJOIN, phone, {
      added: [phone],
    });
    const subscribed = await b.request(subscribe(room));
    expect(subscribed).toMatchObject({ case: "subscribed", value: { from: BigInt(entered) } });
    await a.request(world.append(room, 2, "after"));
    await b.until(() => b.records.length === 2);
    expect(sequences(b)[0]).toBe(entered);
  });
});

describe("a message", () => {
  it("reaches every member once, in the log's order, whether they read live or catch up", async () => {
    await using world = await EdgeWorld.start();
    const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
    const room = await world.keyserver.newRoom(alice, bob);
    using a = await world.online(alice);
    using b = await world.online(bob);
    await a.request(subscribe(room));
    const writing = [];
    for (let n = 0; n < 240; n++) writing.push(a.request(world.append(room, n % 200, `${n}`)));
    await writing[50];
    await b.request(subscribe(room));
    for (const answer of await Promise.all(writing)) appendedAt(answer);
    await Promise.all([
      a.until(() => a.records.length >= 202),
      b.until(() => b.records.length >= 201),
    ]);
    const stored = (
      await world.log.read({ topic: room as string as Topic, after: 0, limit: 1000 })
    ).map((record) => record.sequence as number);
    expect(sequences(a)).toEqual(stored);
    expect(sequences(b)).toEqual(stored.slice(1));
  });

  it("sent twice under one id is stored once, and nobody can occupy another's id", async () => {
    await using world = await EdgeWorld.start();
    const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
    const room = await world.keyserver.newRoom(alice, bob);
    using a = await world.online(alice);
    using b = await world.online(bob);
    const first = appendedAt(await b.request(world.append(room, 1, "mine")));
    const other = appendedAt(await a.request(world.append(room, 1, "also mine")));
    const again = appendedAt(await a.request(world.append(room, 1, "also mine")));
    expect(other.duplicate).toBe(false);
    expect(other.position?.sequence).not.toBe(first.position?.sequence);
    expect(again).toMatchObject({ duplicate: true, position: other.position });
  });

  it("under an old handshake record is STALE, and tells the newest", async () => {
    await using world = await EdgeWorld.start();
    const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
    const room = await world.keyserver.newRoom(alice, bob);
    using a = await world.online(alice);
    const old = world.append(room, 1);
    const handshake = await world.keyserver.commit(room, EnvelopeKind.UPDATE, alice, {});
    const answer = await a.request(old);
    expect(errorOf(answer)).toBe(ErrorCode.STALE);
    expect(answer).toMatchObject({ value: { handshake: BigInt(handshake) } });
    appendedAt(await a.request(world.append(room, 2)));
  });

  it("of somebody who is not a member is refused, and of one who comes too fast", async () => {
    await using world = await EdgeWorld.start({ limits: { appendBurst: 3, appendsPerSecond: 1 } });
    const [alice, eve] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
    const room = await world.keyserver.newRoom(alice);
    using e = await world.online(eve);
    expect(errorOf(await e.request(world.append(room, 1)))).toBe(ErrorCode.NOT_A_MEMBER);
    expect(errorOf(await e.request(subscribe(room)))).toBe(ErrorCode.NOT_A_MEMBER);
    expect(errorOf(await e.request(subscribe("ab".repeat(16))))).toBe(ErrorCode.UNKNOWN_ROOM);
    using a = await world.online(alice);
    for (let n = 0; n < 3; n++) appendedAt(await a.request(world.append(room, n)));
    const limited = await a.request(world.append(room, 9));
    expect(errorOf(limited)).toBe(ErrorCode.RATE_LIMITED);
  });
});

describe("a membership", () => {
  it("that ends ends the delivery with the record that ended it", async () => {
    await using world = await EdgeWorld.start();
    const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
    const room = await world.keyserver.newRoom(alice, bob);
    using a = await world.online(alice);
    using b = await world.online(bob);
    await Promise.all([a.request(subscribe(room)), b.request(subscribe(room))]);
    appendedAt(await a.request(world.append(room, 1)));
    const removed = await world.keyserver.commit(room, EnvelopeKind.REMOVE, alice, {
      removed: [bob],
    });
    await a.until(() => sequences(a).includes(removed));
    const last = Number(appendedAt(await a.request(world.append(room, 2))).position?.sequence);
    await a.until(() => sequences(a).includes(last));
    await b.until(() => b.events.some((event) => event.case === "roomLeft"));
    expect(sequences(b).at(-1)).toBe(removed);
    expect(errorOf(await b.request(world.append(room, 3)))).toBe(ErrorCode.NOT_A_MEMBER);
    expect(errorOf(await b.request(subscribe(room)))).toBe(ErrorCode.NOT_A_MEMBER);
  });

  it("begins with the record that began it, and is told to who is online", async () => {
    await using world = await EdgeWorld.start();
    const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
    const room = await world.keyserver.newRoom(alice);
    using a = await world.online(alice);
    using b = await world.online(bob);
    appendedAt(await a.request(world.append(room, 1)));
    const added = await world.keyserver.commit(room, EnvelopeKind.ADD, alice, { added: [bob] });
    await b.until(() => b.events.some((event) => event.case === "roomEntered"));
    const answer = await b.request(subscribe(room));
    expect(answer).toMatchObject({ value: { from: BigInt(added), head: BigInt(added) } });
    await b.until(() => b.records.length > 0);
    expect(b.records[0]).toMatchObject({ sequence: BigInt(added), kind: RecordKind.HANDSHAKE });
  });

  it("changes without a hint are seen by the next confirmation", async () => {
    await using world = await EdgeWorld.start({ confirmPeriodMs: 50 });
    const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
    world.keyserver.hints = false;
    using b = await world.online(bob);
    await world.keyserver.newRoom(alice, bob);
    await b.until(() => b.events.some((event) => event.case === "roomEntered"));
  });
});

describe("a position", () => {
  it("of another log, or past the end, answers LOG_RESET", async () => {
    await using world = await EdgeWorld.start();
    const alice = await world.keyserver.newDevice();
    const room = await world.keyserver.newRoom(alice);
    using a = await world.online(alice);
    const { incarnation } = await world.log.head(room as string as Topic);
    const foreign = await a.request(subscribe(room, 1, new Uint8Array(16)));
    expect(errorOf(foreign)).toBe(ErrorCode.LOG_RESET);
    const past = await a.request(subscribe(room, 10_000, fromHex(incarnation)));
    expect(errorOf(past)).toBe(ErrorCode.LOG_RESET);
    const good = await a.request(subscribe(room, 1, fromHex(incarnation)));
    expect(good).toMatchObject({ case: "subscribed" });
  });

  it("at which another record stands, or none, answers LOG_RESET", async () => {
    await using world = await EdgeWorld.start();
    const alice = await world.keyserver.newDevice();
    const room = await world.keyserver.newRoom(alice);
    using a = await world.online(alice);
    const at = Number(appendedAt(await a.request(world.append(room, 1))).position?.sequence);
    appendedAt(await a.request(world.append(room, 2)));
    const topic = room as string as Topic;
    const { incarnation } = await world.log.head(topic);
    const [, record] = await world.log.read({ topic, after: 0, limit: 2 });
    const sha256 = hash("sha256", record?.data ?? "", "buffer");
    const from = async (sequence: number, afterSha256: Uint8Array) => {
      const { value } = subscribe(room, sequence, fromHex(incarnation));
      return await a.request({ case: "subscribe", value: { ...value, afterSha256 } });
    };
    expect(errorOf(await from(at, new Uint8Array(32)))).toBe(ErrorCode.LOG_RESET);
    expect(errorOf(await from(at + 1, sha256))).toBe(ErrorCode.LOG_RESET);
    expect(errorOf(await from(0, sha256))).toBe(ErrorCode.LOG_RESET);
    expect(errorOf(await from(at, sha256.subarray(1)))).toBe(ErrorCode.BAD_REQUEST);
    expect((await from(at, sha256)).case).toBe("subscribed");
  });

  it("resumes exactly behind it", async () => {
    await using world = await EdgeWorld.start();
    const alice = await world.keyserver.newDevice();
    const room = await world.keyserver.newRoom(alice);
    using a = await world.online(alice);
    const positions: number[] = [];
    for (let n = 0; n < 5; n++) {
      positions.push(Number(appendedAt(await a.request(world.append(room, n))).position?.sequence));
    }
    const { incarnation } = await world.log.head(room as string as Topic);
    await a.request(subscribe(room, positions[2] ?? 0, fromHex(incarnation)));
    positions.push(Number(appendedAt(await a.request(world.append(room, 9))).position?.sequence));
    await a.until(() => a.records.length >= 3);
    expect(sequences(a)).toEqual(positions.slice(3));
  });
});

it("without confirmation delivery stops and says so, and goes on afterwards", async () => {
  await using world = await EdgeWorld.start({ confirmPeriodMs: 30, confirmValidMs: 150 });
  const alice = await world.keyserver.newDevice();
  const room = await world.keyserver.newRoom(alice);
  using a = await world.online(alice);
  await a.request(subscribe(room));
  world.keyserver.silent = true;
  await a.until(() => a.events.some((event) => event.case === "roomInterrupted"));
  expect(errorOf(await a.request(world.append(room, 1)))).toBe(ErrorCode.UNAVAILABLE);
  expect(errorOf(await a.request(subscribe(room)))).toBe(ErrorCode.UNAVAILABLE);
  expect(world.edge.ready()).toBe(false);
  world.keyserver.silent = false;
  await a.until(() => world.edge.ready());
  expect((await a.request(subscribe(room))).case).toBe("subscribed");
  appendedAt(await a.request(world.append(room, 1)));
});

it("a client that does not read is closed as TOO_SLOW, and others go on", async () => {
  await using world = await EdgeWorld.start({ limits: { outboxBytesMax: 200_000 } });
  const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
  const room = await world.keyserver.newRoom(alice, bob);
  using a = await world.online(alice);
  using b = await world.online(bob);
  await Promise.all([a.request(subscribe(room)), b.request(subscribe(room))]);
  b.wire?.pause();
  const text = "x".repeat(100_000);
  const metric = async () => /too_slow_total\{[^}]*\} 1/.test(await world.metrics.render());
  for (let n = 0; n < 150 && !(await metric()); n++) {
    appendedAt(await a.request(world.append(room, n, text)));
  }
  expect(await metric()).toBe(true);
  expect(a.isGone).toBe(false);
  expect(a.closed?.code).not.toBe(CloseCode.TOO_SLOW);
}, 20_000);

it("a signal reaches those who read the room, but not who sent it", async () => {
  await using world = await EdgeWorld.start();
  const [alice, bob, carol] = [
    await world.keyserver.newDevice(),
    await world.keyserver.newDevice(),
    await world.keyserver.newDevice(),
  ];
  const room = await world.keyserver.newRoom(alice, bob, carol);
  using a = await world.online(alice);
  using b = await world.online(bob);
  using c = await world.online(carol);
  await Promise.all([a.request(subscribe(room)), b.request(subscribe(room))]);
  const value = { room: fromHex(room), kind: SignalKind.TYPING };
  expect((await a.request({ case: "sendSignal", value })).case).toBe("done");
  await b.until(() => b.events.some((event) => event.case === "signalReceived"));
  const signal = b.events.find((event) => event.case === "signalReceived");
  expect(toHex(signal?.value.device ?? new Uint8Array())).toBe(alice.device);
  for (const client of [a, c]) {
    expect(client.events.some((event) => event.case === "signalReceived")).toBe(false);
  }
});
