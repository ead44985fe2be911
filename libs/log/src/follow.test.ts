import { ManualClock, systemClock } from "@sotto/clock";
import { expect, test } from "vitest";
import { type FollowRequest, follow, tail } from "./follow.ts";
import { type Incarnation, type Log, LogError, type LogRecord, type Sequence } from "./log.ts";
import { parseTopic } from "./topic.ts";

const topic = parseTopic("0123456789abcdef");
const incarnation = "a".repeat(32) as Incarnation;

/** A log whose records and live deliveries are set by hand. */
class ScriptedLog implements Log {
  records: LogRecord[] = [];
  incarnation = incarnation;
  deliver: (record: LogRecord) => void = () => {};
  failures: LogError[] = [];
  reads = 0;

  async append(): Promise<never> {
    throw new Error("not scripted");
  }
  async read({ after, limit }: { after: number; limit: number }) {
    this.reads++;
    const failure = this.failures.shift();
    if (failure) throw failure;
    return this.records.filter(({ sequence }) => sequence > after).slice(0, limit);
  }
  async head() {
    const last = this.records.at(-1)?.sequence ?? 0;
    return { incarnation: this.incarnation, last, handshake: 0, message: last };
  }
  async live(_topic: unknown, deliver: (record: LogRecord) => void) {
    this.deliver = deliver;
    return { [Symbol.asyncDispose]: async () => {} };
  }
  async *topics() {}
  async remove() {}
  async [Symbol.asyncDispose]() {}

  /** Stores a record without telling of it. */
  store(sequence: number, kind: "h" | "m" = "m"): LogRecord {
    const before = (of: string) =>
      this.records.findLast((record) => record.kind === of)?.sequence ?? 0;
    const [previous, handshake] = [before(kind), before("h")];
    const data = Buffer.from(`${sequence}`);
    const record = { topic, kind, sequence: sequence as Sequence, previous, handshake, data };
    this.records.push(record);
    return record;
  }
}

interface Following {
  readonly seen: number[];
  readonly ended: Promise<unknown>;
}

function start(log: Log, other: Partial<FollowRequest> = {}): Following & Disposable {
  const stop = new AbortController();
  const seen: number[] = [];
  const request = { topic, after: 0, clock: systemClock, headCheckMs: 60_000, ...other };
  const ended = tail(log, request, stop.signal, (record) => seen.push(record.sequence)).catch(
    (error: unknown) => error,
  );
  return { seen, ended, [Symbol.dispose]: () => stop.abort() };
}

test("an adjacent live record is delivered without a read", async () => {
  const log = new ScriptedLog();
  log.store(3);
  using following = start(log);
  await expect.poll(() => following.seen).toEqual([3]);
  await expect.poll(() => log.reads).toBe(2);
  log.deliver(log.store(7));
  log.deliver(log.store(8, "h"));
  log.deliver(log.store(12));
  await expect.poll(() => following.seen).toEqual([3, 7, 8, 12]);
  expect(log.reads).toBe(2);
});

test("a lost message before a handshake record is read before that record is delivered", async () => {
  const log = new ScriptedLog();
  using following = start(log);
  await expect.poll(() => log.reads).toBe(1);
  log.store(1);
  log.deliver(log.store(3, "h"));
  await expect.poll(() => following.seen).toEqual([1, 3]);
});

test("a message that was sealed under a lost handshake record waits for it", async () => {
  const log = new ScriptedLog();
  using following = start(log);
  await expect.poll(() => log.reads).toBe(1);
  log.deliver(log.store(1));
  await expect.poll(() => following.seen).toEqual([1]);
  log.store(2, "h");
  log.deliver(log.store(3));
  await expect.poll(() => following.seen).toEqual([1, 2, 3]);
});

test("a record that is announced twice, or late, is delivered once", async () => {
  const log = new ScriptedLog();
  using following = start(log);
  await expect.poll(() => log.reads).toBe(1);
  const first = log.store(1);
  log.deliver(first);
  log.deliver(first);
  log.deliver(log.store(2));
  log.deliver(first);
  await expect.poll(() => following.seen).toEqual([1, 2]);
});

test("a lost last record is found by the next look at the head", async () => {
  const log = new ScriptedLog();
  const clock = new ManualClock();
  using following = start(log, { clock, headCheckMs: 5000 });
  await clock.advance(1);
  log.store(1);
  await clock.advance(4000);
  expect(following.seen).toEqual([]);
  await clock.advance(2000);
  await expect.poll(() => following.seen).toEqual([1]);
});

test("a consumer that is slow loses nothing of what its bound dropped", async () => {
  const log = new ScriptedLog();
  const stop = new AbortController();
  const request = { topic, after: 0, clock: systemClock, heldRecordsMax: 4, heldBytesMax: 1000 };
  const seen: number[] = [];
  log.store(1);
  for await (const record of follow(log, request, stop.signal)) {
    seen.push(record.sequence);
    if (record.sequence === 1) for (let n = 2; n <= 20; n++) log.deliver(log.store(n));
    if (record.sequence === 20) break;
  }
  expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
});

test("a record that was announced before a replica has it is asked for again", async () => {
  const log = new ScriptedLog();
  using following = start(log);
  await expect.poll(() => log.reads).toBe(1);
  log.store(1, "h");
  const [, late] = [log.store(2), log.store(3, "h")];
  log.records.pop();
  log.deliver(late);
  await expect.poll(() => log.reads).toBeGreaterThan(4);
  log.records.push(late);
  await expect.poll(() => following.seen).toEqual([1, 2, 3]);
});

test("a log that is unavailable is asked again, and any other error ends the tail", async () => {
  const log = new ScriptedLog();
  log.store(1);
  log.failures.push(new LogError("UNAVAILABLE", "away"));
  using following = start(log);
  await expect.poll(() => following.seen).toEqual([1]);
  log.failures.push(new LogError("LOG_RESET", "another log"));
  log.deliver(log.store(9, "h"));
  expect(await following.ended).toMatchObject({ code: "LOG_RESET" });
});

test("a log that was replaced is seen by the next look at the head", async () => {
  const log = new ScriptedLog();
  const clock = new ManualClock();
  using following = start(log, { clock, headCheckMs: 5000, incarnation });
  await clock.advance(1);
  log.incarnation = "b".repeat(32) as Incarnation;
  await clock.advance(6000);
  expect(await following.ended).toMatchObject({ code: "LOG_RESET" });
});

test("a tail ends with its signal's reason", async () => {
  const following = start(new ScriptedLog());
  await new Promise((resolve) => setImmediate(resolve));
  following[Symbol.dispose]();
  expect(await following.ended).toMatchObject({ name: "AbortError" });
});
