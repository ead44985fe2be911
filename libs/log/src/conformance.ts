import { randomBytes } from "node:crypto";
import { systemClock } from "@sotto/clock";
import { describe, expect, test } from "vitest";
import { followBatches } from "./follow.ts";
import {
  idempotencyWindowMs,
  type Log,
  LogError,
  type LogRecord,
  recordBytesMax,
  type SubjectKind,
  type Topic,
} from "./log.ts";
import { parseIncarnation } from "./topic.ts";
import { TopicWriter } from "./topic-writer.ts";
import { withoutNthLive } from "./without-nth-live.ts";

/** A log for one test. Disposing it removes what it stored. */
export interface LogUnderTest extends AsyncDisposable {
  readonly log: Log;
}

/** A log whose clock a test can move. */
export interface TimedLogUnderTest extends LogUnderTest {
  readonly advance: (ms: number) => Promise<void>;
}

/** The law of the `Log` port: every adapter runs it. `open` gives a log that may hold other topics. */
export function describeLog(name: string, open: () => Promise<LogUnderTest>): void {
  describe(`${name} obeys the law of Log:`, () => {
    test("records are read in the order of their appends, each with its predecessor", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      const h = await topic.append("h", "first");
      const m1 = await topic.append("m", "second");
      const m2 = await topic.append("m", "third");
      const records = await read(under.log, topic.topic);
      expect(
        records.map(({ sequence, kind, previous, handshake, data }) => [
          sequence,
          kind,
          previous,
          handshake,
          Buffer.from(data).toString(),
        ]),
      ).toEqual([
        [h, "h", 0, 0, "first"],
        [m1, "m", 0, h, "second"],
        [m2, "m", m1, h, "third"],
      ]);
    });

    test("appends that run at once are stored in call order", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      await topic.append("h", "h");
      const texts = Array.from({ length: 100 }, (_, index) => `m${index}`);
      const sequences = await Promise.all(texts.map((text) => topic.append("m", text)));
      expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
      const records = await read(under.log, topic.topic);
      expect(records.slice(1).map(textOf)).toEqual(texts);
    });

    test("a message sealed under an older handshake record is stale, and the newer one is told", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      const old = await topic.append("h", "h1");
      const current = await topic.append("h", "h2");
      const late = under.log.append(topic.request("m", "late", { expectHandshake: old }));
      await expect(late).rejects.toMatchObject({ code: "STALE", handshake: current });
      const none = under.log.append(topic.request("h", "again", { expectHandshake: 0 }));
      await expect(none).rejects.toMatchObject({ code: "STALE", handshake: current });
      expect((await read(under.log, topic.topic)).map(textOf)).toEqual(["h1", "h2"]);
    });

    test("a message that is appended behind a commit in flight is stale", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      const before = await topic.append("h", "h1");
      const commit = under.log.append(topic.request("h", "h2"));
      const late = under.log.append(topic.request("m", "late", { expectHandshake: before }));
      const [won, lost] = await Promise.allSettled([commit, late]);
      expect(won.status).toBe("fulfilled");
      expect(lost).toMatchObject({ status: "rejected", reason: { code: "STALE" } });
    });

    test("of many appends with the same expectation exactly one wins", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      for (const expectHandshake of [0, 1]) {
        const head = await under.log.head(topic.topic);
        expect(Math.min(head.handshake, 1)).toBe(expectHandshake);
        const rivals = Array.from({ length: 40 }, (_, index) =>
          under.log.append(
            topic.request("h", `rival ${index}`, { expectHandshake: head.handshake }),
          ),
        );
        const outcomes = await Promise.allSettled(rivals);
        expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
        for (const outcome of outcomes) {
          if (outcome.status === "rejected")
            expect(outcome.reason).toMatchObject({ code: "STALE" });
        }
      }
      expect(await read(under.log, topic.topic)).toHaveLength(2);
    });

    test("a key that was seen stores nothing and answers the first position", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      await topic.append("h", "h");
      const request = topic.request("m", "once");
      const first = await under.log.append(request);
      const [again, atOnce] = await Promise.all([
        under.log.append(request),
        under.log.append(request),
      ]);
      expect(first.duplicate).toBe(false);
      expect(again).toEqual({ position: first.position, duplicate: true });
      expect(atOnce).toEqual(again);
      expect(await read(under.log, topic.topic)).toHaveLength(2);
    });

    test("sequences grow within a topic, and other topics leave gaps in them", async () => {
      await using under = await open();
      const [a, b] = [new TopicWriter(under.log), new TopicWriter(under.log)];
      const sequences: number[] = [];
      for (let round = 0; round < 3; round++) {
        sequences.push(await a.append("m", "a"));
        await b.append("m", "b");
      }
      expect(sequences).toEqual([...new Set(sequences)].sort((x, y) => x - y));
      expect((await read(under.log, a.topic)).map(({ sequence }) => sequence)).toEqual(sequences);
    });

    test("reading goes on after a position, at most as far as the limit", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      for (let index = 0; index < 10; index++) await topic.append("m", `${index}`);
      const texts: string[] = [];
      let after = 0;
      for (;;) {
        const page = await under.log.read({ topic: topic.topic, after, limit: 3 });
        expect(page.length).toBeLessThanOrEqual(3);
        if (page.length === 0) break;
        texts.push(...page.map(textOf));
        after = page.at(-1)?.sequence ?? 0;
      }
      expect(texts).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    });

    test("an answer is cut where its bytes would be too many, and is never empty for that", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      const texts = Array.from({ length: 8 }, (_, index) => `${index}`.repeat(10_000));
      for (const text of texts) await topic.append("m", text);
      const read: string[] = [];
      const pages: number[] = [];
      for (let after = 0; ; ) {
        const bytesMax = pages.length === 0 ? 1 : 35_000;
        const page = await under.log.read({ topic: topic.topic, after, limit: 100, bytesMax });
        if (page.length === 0) break;
        pages.push(page.length);
        read.push(...page.map(textOf));
        after = page.at(-1)?.sequence ?? 0;
      }
      expect(read).toEqual(texts);
      expect(pages[0]).toBe(1);
      expect(Math.max(...pages)).toBeLessThanOrEqual(4);
      expect(Math.max(...pages)).toBeGreaterThan(1);
    });

    test("the head tells the last record of each subject, and an empty topic has none", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      expect(await under.log.head(topic.topic)).toMatchObject({
        last: 0,
        handshake: 0,
        message: 0,
      });
      const handshake = await topic.append("h", "h");
      const message = await topic.append("m", "m");
      const head = await under.log.head(topic.topic);
      expect(head).toMatchObject({ last: message, handshake, message });
      expect(await under.log.head(topic.topic)).toEqual(head);
    });

    test("a foreign incarnation and a position past the end answer LOG_RESET", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      const last = await topic.append("m", "m");
      const { incarnation } = await under.log.head(topic.topic);
      const at = { topic: topic.topic, limit: 10 };
      const foreign = parseIncarnation("0".repeat(32));
      const reset = { code: "LOG_RESET" };
      const other = under.log.read({ ...at, after: 0, incarnation: foreign });
      await expect(other).rejects.toMatchObject(reset);
      const past = under.log.read({ ...at, after: last + 1_000_000, incarnation });
      await expect(past).rejects.toMatchObject(reset);
      expect(await under.log.read({ ...at, after: last, incarnation })).toEqual([]);
    });

    test("the largest record is stored, and one byte more is refused", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      const data = randomBytes(recordBytesMax);
      await under.log.append({ ...topic.request("m", ""), data });
      const [stored] = await read(under.log, topic.topic);
      expect(data.equals(stored?.data ?? new Uint8Array())).toBe(true);
      const tooLarge = { ...topic.request("m", ""), data: new Uint8Array(recordBytesMax + 1) };
      await expect(under.log.append(tooLarge)).rejects.toMatchObject({ code: "TOO_LARGE" });
    });

    test("a buffer may be used again once its append settled, and live records keep their bytes", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      const live: LogRecord[] = [];
      await using subscription = await under.log.live(topic.topic, (record) => live.push(record));
      void subscription;
      const buffer = Buffer.from("a");
      for (const text of ["a", "b", "c"]) {
        buffer.write(text);
        await under.log.append({ ...topic.request("m", ""), data: buffer });
      }
      buffer.write("x");
      expect((await read(under.log, topic.topic)).map(textOf)).toEqual(["a", "b", "c"]);
      await expect.poll(() => live.map(textOf)).toEqual(["a", "b", "c"]);
    });

    test("a live record equals the stored one, and none comes after the subscription's end", async () => {
      await using under = await open();
      const topic = new TopicWriter(under.log);
      const live: LogRecord[] = [];
      const subscription = await under.log.live(topic.topic, (record) => live.push(record));
      await topic.append("h", "h");
      await topic.append("m", "m1");
      await topic.append("m", "m2");
      await expect.poll(() => live.length).toBe(3);
      const plain = (record: LogRecord) => ({ ...record, data: textOf(record) });
      expect(live.map(plain)).toEqual((await read(under.log, topic.topic)).map(plain));
      await subscription[Symbol.asyncDispose]();
      await topic.append("m", "m3");
      await read(under.log, topic.topic);
      expect(live).toHaveLength(3);
    });

    test("a tail misses and repeats nothing whichever single live record is dropped", async () => {
      const kinds: readonly SubjectKind[] = ["h", "m", "m", "h", "m", "h", "h", "m", "m"];
      await using under = await open();
      for (let dropped = 0; dropped <= kinds.length; dropped++) {
        const topic = new TopicWriter(under.log);
        await topic.append("h", "before");
        const { log, wasDropped } = withoutNthLive(under.log, dropped);
        const seen: string[] = [];
        const stop = new AbortController();
        const following = collect(log, topic.topic, stop.signal, seen);
        await expect.poll(() => seen).toEqual(["before"]);
        for (const [index, kind] of kinds.entries()) await topic.append(kind, `${index}`);
        const all = ["before", ...kinds.map((_, index) => `${index}`)];
        await expect.poll(() => seen.length, { timeout: 5000 }).toBeGreaterThanOrEqual(all.length);
        expect(seen).toEqual(all);
        expect(wasDropped()).toBe(dropped < kinds.length);
        stop.abort();
        await following;
      }
    });

    test("a removed topic is empty, its bytes' readers find nothing, and others stay whole", async () => {
      await using under = await open();
      const [gone, kept] = [new TopicWriter(under.log), new TopicWriter(under.log)];
      for (let index = 0; index < 5; index++) {
        await gone.append("m", `gone ${index}`);
        await kept.append("m", `kept ${index}`);
      }
      await under.log.remove(gone.topic);
      expect(await read(under.log, gone.topic)).toEqual([]);
      expect(await under.log.head(gone.topic)).toMatchObject({ last: 0, handshake: 0, message: 0 });
      const texts = (await read(under.log, kept.topic)).map(textOf);
      expect(texts).toEqual(["kept 0", "kept 1", "kept 2", "kept 3", "kept 4"]);
      const topics: Topic[] = [];
      for await (const topic of under.log.topics()) topics.push(topic);
      expect(topics).toContain(kept.topic);
      expect(topics).not.toContain(gone.topic);
      const fresh = await under.log.append(gone.request("m", "fresh", { expectHandshake: 0 }));
      const records = await read(under.log, gone.topic);
      expect(records.map((record) => [record.sequence, record.previous, textOf(record)])).toEqual([
        [fresh.position.sequence, 0, "fresh"],
      ]);
    });
  });
}

/**
 * The law's part on time. An adapter whose window runs on its server's clock shows otherwise that
 * it is set.
 */
export function describeLogWindow(name: string, open: () => Promise<TimedLogUnderTest>): void {
  describe(`${name} obeys the law of Log:`, () => {
    test("a key is remembered for the window and forgotten after it", async () => {
      await using under = await open();
      const { log, advance } = under;
      const topic = new TopicWriter(log);
      const request = topic.request("m", "again");
      await log.append(request);
      await advance(idempotencyWindowMs - 1);
      expect((await log.append(request)).duplicate).toBe(true);
      await advance(60_000);
      expect((await log.append(request)).duplicate).toBe(false);
    });
  });
}

function read(log: Log, topic: Topic): Promise<readonly LogRecord[]> {
  return log.read({ topic, after: 0, limit: 1000 });
}

function textOf(record: LogRecord): string {
  return Buffer.from(record.data).toString();
}

async function collect(
  log: Log,
  topic: Topic,
  signal: AbortSignal,

  seen: string[],
): Promise<void> {
  const request = { topic, after: 0, clock: systemClock, headCheckMs: 100 };
  try {
    for await (const batch of followBatches(log, request, signal)) seen.push(...batch.map(textOf));
  } catch (error) {
    if (!signal.aborted || error instanceof LogError) throw error;
  }
}
