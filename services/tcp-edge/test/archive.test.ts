import { createHash } from "node:crypto";
import type { Topic } from "@sotto/log";
import { ErrorCode, fromHex, limits } from "@sotto/protocol";
import { expect, it, vi } from "vitest";
import { EdgeWorld } from "./edge-world.ts";
import type { TestClient } from "./test-client.ts";

const errorOf = (body: { case: string | undefined; value?: unknown }) =>
  body.case === "error" ? (body.value as { code: ErrorCode }).code : body.case;
const append = (id: number, data: Uint8Array) => ({
  case: "appendArchive" as const,
  value: { id: new Uint8Array(16).fill(id), data },
});
const text = (word: string) => new TextEncoder().encode(word);

async function read(client: TestClient, sequence = 0, incarnation = new Uint8Array(), limit = 0) {
  const after = { incarnation, sequence: BigInt(sequence) };
  const answer = await client.request({ case: "readArchive", value: { after, limit } });
  if (answer.case !== "archivePage") throw new Error(`answered ${errorOf(answer)}`);
  return answer.value;
}

it("what a device keeps is read by its user's other devices, in order, and by nobody else", async () => {
  await using world = await EdgeWorld.start();
  const alice = await world.keyserver.newDevice();
  using laptop = await world.online(alice);
  using phone = await world.online(await world.keyserver.newDevice(alice.user));
  using bob = await world.online(await world.keyserver.newDevice());
  expect((await read(phone)).entries).toEqual([]);
  await laptop.request(append(1, text("one")));
  await phone.request(append(1, text("two")));
  const page = await read(phone);
  expect(page.entries.map(({ data }) => Buffer.from(data).toString())).toEqual(["one", "two"]);
  expect(page.head).toBe(page.entries[1]?.sequence);
  expect((await read(bob)).entries).toEqual([]);
  const named = Buffer.concat([Buffer.from("sotto-archive-v1"), fromHex(alice.user)]);
  const topic = createHash("sha256").update(named).digest("hex") as Topic;
  expect(await world.log.read({ topic, after: 0, limit: 9 })).toMatchObject([
    { kind: "m", handshake: 0 },
    { kind: "m", handshake: 0 },
  ]);
});

it("a record sent twice under one id is stored once", async () => {
  await using world = await EdgeWorld.start();
  using client = await world.online(await world.keyserver.newDevice());
  const first = await client.request(append(7, text("same")));
  const again = await client.request(append(7, text("same")));
  expect(first).toMatchObject({ case: "appended", value: { duplicate: false } });
  expect(again).toMatchObject({ case: "appended", value: { duplicate: true } });
  expect((await read(client)).entries).toHaveLength(1);
});

it("it is read on from a position, in pages of bounded size", async () => {
  await using world = await EdgeWorld.start({ limits: { archivePageBytesMax: 250 } });
  using client = await world.online(await world.keyserver.newDevice());
  for (let n = 1; n <= 5; n++) await client.request(append(n, new Uint8Array(100).fill(n)));
  const seen: number[] = [];
  let page = await read(client, 0, new Uint8Array(), 4);
  while (page.entries.length > 0) {
    expect(page.entries.length).toBeLessThanOrEqual(2);
    seen.push(...page.entries.map(({ data }) => data[0] ?? 0));
    const last = Number(page.entries.at(-1)?.sequence);
    page = await read(client, last, page.incarnation as Uint8Array<ArrayBuffer>);
  }
  expect(seen).toEqual([1, 2, 3, 4, 5]);
});

it("a position of another log, or past its end, is refused", async () => {
  await using world = await EdgeWorld.start();
  using client = await world.online(await world.keyserver.newDevice());
  await client.request(append(1, text("one")));
  const { incarnation, head } = await read(client);
  const ask = (
    after: { incarnation: Uint8Array; sequence: bigint },
    afterSha256: Uint8Array = new Uint8Array(),
  ) => client.request({ case: "readArchive", value: { after, afterSha256, limit: 0 } });
  const foreign = { incarnation: new Uint8Array(16), sequence: 0n };
  expect(errorOf(await ask(foreign))).toBe(ErrorCode.LOG_RESET);
  expect(errorOf(await ask({ incarnation, sequence: head + 1n }))).toBe(ErrorCode.LOG_RESET);
  const there = { incarnation, sequence: head };
  const sha256 = (record: string) => createHash("sha256").update(text(record)).digest();
  expect(errorOf(await ask(there, sha256("another")))).toBe(ErrorCode.LOG_RESET);
  expect(errorOf(await ask(there, sha256("one").subarray(1)))).toBe(ErrorCode.BAD_REQUEST);
  expect((await ask(there, sha256("one"))).case).toBe("archivePage");
});

it("records have a size, and count against the rate of the device", async () => {
  await using world = await EdgeWorld.start({ limits: { appendBurst: 2, appendsPerSecond: 1 } });
  using client = await world.online(await world.keyserver.newDevice());
  const large = new Uint8Array(limits.archiveRecordBytesMax + 1);
  expect(errorOf(await client.request(append(1, large)))).toBe(ErrorCode.TOO_LARGE);
  expect(errorOf(await client.request(append(1, new Uint8Array())))).toBe(ErrorCode.BAD_REQUEST);
  await client.request(append(1, large.subarray(1)));
  await client.request(append(2, text("two")));
  const refused = await client.request(append(3, text("three")));
  expect(errorOf(refused)).toBe(ErrorCode.RATE_LIMITED);
  expect(refused.case === "error" && refused.value.retryAfterMs).toBeGreaterThan(0);
});

it("messages that a device could not open are counted, up to a bound for each connection", async () => {
  await using world = await EdgeWorld.start();
  using client = await world.online(await world.keyserver.newDevice());
  const report = (cannotOpen: number) =>
    client.request({ case: "reportTrouble", value: { cannotOpen } });
  expect(errorOf(await report(3))).toBe("done");
  expect(await world.metrics.render()).toMatch(/^sotto_client_cannot_open_total\{.*\} 3$/m);
  for (let n = 0; n < 3; n++) await report(2 ** 32 - 1);
  expect(await world.metrics.render()).toMatch(/^sotto_client_cannot_open_total\{.*\} 10000$/m);
});

it("pages are read as the client takes them, however many it asks for", async () => {
  await using world = await EdgeWorld.start();
  const alice = await world.keyserver.newDevice();
  using writer = await world.online(alice);
  for (let id = 0; id < 4; id++)
    await writer.request(append(id, new Uint8Array(limits.archiveRecordBytesMax)));
  using reader = await world.online(alice);
  expect((await read(reader)).entries).toHaveLength(3);
  const asked = vi.spyOn(world.log, "read");
  for (let count = 0; count < limits.requestsInFlightMax; count++) void read(reader).catch(() => 0);
  reader.wire?.pause();
  await new Promise((resolve) => setTimeout(resolve, 500));
  // What the operating system takes comes on top of the outbox.
  expect(asked.mock.calls.length).toBeLessThan(limits.requestsInFlightMax / 4);
  expect(await world.metrics.render()).toMatch(/too_slow_total\S* 0/);
});
