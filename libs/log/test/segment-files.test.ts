import * as nodeFiles from "node:fs/promises";
import { appendFile, cp, open, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ManualClock } from "@sotto/clock";
import { expect, test } from "vitest";
import type { AppendRequest, Log } from "../src/index.ts";
import { type LogFiles, openSegmentLog } from "../src/segment.ts";
import { parseTopic } from "../src/topic.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const topic = parseTopic("0123456789abcdef");
let keys = 0;

function message(text: string, other: Partial<AppendRequest> = {}): AppendRequest {
  const key = (keys++).toString(16);
  return { topic, kind: "m", key, expectHandshake: 0, data: Buffer.from(text), ...other };
}

async function texts(log: Log): Promise<string[]> {
  const records = await log.read({ topic, after: 0, limit: 1000 });
  return records.map(({ data }) => Buffer.from(data).toString());
}

async function segmentIn(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".seg")).sort();
  return join(folder, names.at(-1) ?? "");
}

/** Real files whose next writes or syncs fail with `code`. */
function failingFiles(): {
  files: LogFiles;
  failWith: (call?: "write" | "datasync", code?: string) => void;
} {
  let failing: string | undefined;
  let code = "";
  const fail = () => Promise.reject(Object.assign(new Error(code), { code }));
  const files: LogFiles = {
    ...nodeFiles,
    open: (async (...args: Parameters<typeof nodeFiles.open>) => {
      const handle = await nodeFiles.open(...args);
      return new Proxy(handle, {
        get(target, name) {
          if (name === failing && name === "datasync") return fail;
          if (name === failing) {
            // A disk that fills up takes a part of the batch first.
            return async (data: Uint8Array, offset: number, length: number, position: number) => {
              await target.write(data, offset, length >> 1, position);
              return fail();
            };
          }
          const value: unknown = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    }) as LogFiles["open"],
  };
  return {
    files,
    failWith(call, errorCode = "ENOSPC") {
      failing = call;
      code = errorCode;
    },
  };
}

test("a log that is opened again has its records, heads, keys and incarnation", async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock();
  const first = await openSegmentLog({ folder: folder.path, clock, segmentBytesMax: 512 });
  const h = await first.append(message("h", { kind: "h" }));
  const request = message("m", { expectHandshake: h.position.sequence });
  const stored = await first.append(request);
  for (let n = 0; n < 20; n++) {
    await first.append(message(`${n}`, { expectHandshake: h.position.sequence }));
  }
  const [head, before] = [await first.head(topic), await texts(first)];
  await first[Symbol.asyncDispose]();
  await clock.advance(9 * 60_000);
  await using again = await openSegmentLog({ folder: folder.path, clock });
  expect(await again.head(topic)).toEqual(head);
  expect(await texts(again)).toEqual(before);
  expect(await again.append(request)).toEqual({ ...stored, duplicate: true });
});

test("a torn tail is cut, and the log goes on behind it", async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock();
  const first = await openSegmentLog({ folder: folder.path, clock });
  await first.append(message("a"));
  await first[Symbol.asyncDispose]();
  const segment = await segmentIn(folder.path);
  const whole = await readFile(segment);
  await appendFile(segment, whole.subarray(32, whole.length - 1));
  const second = await openSegmentLog({ folder: folder.path, clock });
  expect(await texts(second)).toEqual(["a"]);
  await second.append(message("b"));
  await second[Symbol.asyncDispose]();
  await using third = await openSegmentLog({ folder: folder.path, clock });
  expect(await texts(third)).toEqual(["a", "b"]);
});

test("damage among synced records is never taken for a torn tail", async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock();
  const first = await openSegmentLog({ folder: folder.path, clock });
  await first.append(message("one"));
  await first.append(message("two"));
  await first[Symbol.asyncDispose]();
  const file = await open(await segmentIn(folder.path), "r+");
  await file.write("X", 32 + 50);
  await file.close();
  const opening = openSegmentLog({ folder: folder.path, clock });
  await expect(opening).rejects.toMatchObject({ code: "CORRUPT" });
});

test("a record that is damaged after the start is not handed out", async () => {
  await using folder = await temporaryFolder();
  await using log = await openSegmentLog({ folder: folder.path, clock: new ManualClock() });
  await log.append(message("one"));
  const file = await open(await segmentIn(folder.path), "r+");
  await file.write("X", 32 + 50);
  await file.close();
  await expect(texts(log)).rejects.toMatchObject({ code: "CORRUPT" });
});

for (const call of ["write", "datasync"] as const) {
  test(`a disk that is full at ${call} answers FULL, keeps what was acknowledged and recovers`, async () => {
    await using folder = await temporaryFolder();
    const clock = new ManualClock();
    const { files, failWith } = failingFiles();
    const log = await openSegmentLog({ folder: folder.path, clock, files });
    await log.append(message("kept"));
    const refused = message("refused");
    failWith(call);
    const both = await Promise.allSettled([log.append(refused), log.append(message("too"))]);
    for (const one of both)
      expect(one).toMatchObject({ status: "rejected", reason: { code: "FULL" } });
    expect(await texts(log)).toEqual(["kept"]);
    // A crash now must not bring a refused record to life.
    await using copy = await temporaryFolder();
    await cp(folder.path, copy.path, { recursive: true });
    await using afterCrash = await openSegmentLog({ folder: copy.path, clock });
    expect(await texts(afterCrash)).toEqual(["kept"]);
    failWith();
    expect((await log.append(refused)).duplicate).toBe(false);
    await log[Symbol.asyncDispose]();
    await using again = await openSegmentLog({ folder: folder.path, clock });
    expect(await texts(again)).toEqual(["kept", "refused"]);
  });
}

test("a disk that fails otherwise answers UNAVAILABLE", async () => {
  await using folder = await temporaryFolder();
  const { files, failWith } = failingFiles();
  await using log = await openSegmentLog({ folder: folder.path, clock: new ManualClock(), files });
  await log.append(message("kept"));
  failWith("datasync", "EIO");
  await expect(log.append(message("x"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test("what waits is bounded in bytes", async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock();
  await using log = await openSegmentLog({ folder: folder.path, clock, pendingBytesMax: 2000 });
  const appends = Array.from({ length: 10 }, () => log.append(message("x".repeat(100))));
  const outcomes = await Promise.allSettled(appends);
  const refused = outcomes.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(7);
  expect(refused[0]).toMatchObject({ reason: { code: "UNAVAILABLE" } });
  expect((await log.append(message("later"))).duplicate).toBe(false);
});

test("with the key window full, appends are refused until keys are forgotten", async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock();
  await using log = await openSegmentLog({ folder: folder.path, clock, idempotencyKeysMax: 2 });
  const first = message("1");
  await log.append(first);
  await log.append(message("2"));
  await expect(log.append(message("3"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect((await log.append(first)).duplicate).toBe(true);
  await clock.advance(11 * 60_000);
  expect((await log.append(message("3"))).duplicate).toBe(false);
});

test("a removed topic's bytes are gone from every file", async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock();
  const log = await openSegmentLog({ folder: folder.path, clock, segmentBytesMax: 600 });
  const other = parseTopic("ffffffffffffffff");
  for (let n = 0; n < 20; n++) {
    await log.append(message(`canary ${n}`));
    await log.append(message(`kept ${n}`, { topic: other }));
  }
  await log.remove(topic);
  const segments = (await readdir(folder.path)).filter((name) => name.endsWith(".seg"));
  const all = await Promise.all(
    segments.map((name) => readFile(join(folder.path, name), "latin1")),
  );
  expect(all.join("")).not.toContain("canary");
  expect(await log.read({ topic: other, after: 0, limit: 100 })).toHaveLength(20);
  await log[Symbol.asyncDispose]();
  await using again = await openSegmentLog({ folder: folder.path, clock });
  expect(await again.read({ topic: other, after: 0, limit: 100 })).toHaveLength(20);
  expect(await texts(again)).toEqual([]);
});

test("a removal that a crash interrupted is finished at the next start", async () => {
  await using folder = await temporaryFolder();
  await using copy = await temporaryFolder();
  const clock = new ManualClock();
  const files: LogFiles = { ...nodeFiles };
  await using log = await openSegmentLog({ folder: folder.path, clock, files });
  await log.append(message("canary"));
  files.rename = () => Promise.reject(new Error("crashed"));
  await expect(log.remove(topic)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await cp(folder.path, copy.path, { recursive: true });
  const again = await openSegmentLog({ folder: copy.path, clock });
  expect(await texts(again)).toEqual([]);
  await again[Symbol.asyncDispose]();
  const segments = (await readdir(copy.path)).filter((name) => name.endsWith(".seg"));
  const all = await Promise.all(segments.map((name) => readFile(join(copy.path, name), "latin1")));
  expect(all.join("")).not.toContain("canary");
});

test("more segments are read than files are kept open", async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock();
  const limits = { segmentBytesMax: 200, openFilesMax: 2 };
  await using log = await openSegmentLog({ folder: folder.path, clock, ...limits });
  for (let n = 0; n < 30; n++) await log.append(message(`${n}`));
  const reads = await Promise.all(Array.from({ length: 5 }, () => texts(log)));
  for (const read of reads) expect(read).toEqual(Array.from({ length: 30 }, (_, n) => `${n}`));
});

test("as many segments are read at once as readers want, whatever may stay open", async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock();
  const limits = { segmentBytesMax: 200, openFilesMax: 2 };
  await using log = await openSegmentLog({ folder: folder.path, clock, ...limits });
  for (let n = 0; n < 30; n++) await log.append(message(`${n}`));
  const all = await log.read({ topic, after: 0, limit: 100 });
  const each = await Promise.all(
    all.map(({ sequence }) => log.read({ topic, after: sequence - 1, limit: 1 })),
  );
  expect(each.flat()).toEqual(all);
});

test("one answer is bounded in bytes, and reading on gives the rest", async () => {
  await using folder = await temporaryFolder();
  await using log = await openSegmentLog({ folder: folder.path, clock: new ManualClock() });
  const large = Buffer.alloc(1024 * 1024, 1);
  for (let n = 0; n < 12; n++) await log.append({ ...message(""), data: large });
  const sizes: number[] = [];
  let after = 0;
  for (;;) {
    const records = await log.read({ topic, after, limit: 1000 });
    if (records.length === 0) break;
    sizes.push(records.length);
    after = records.at(-1)?.sequence ?? 0;
  }
  expect(sizes).toEqual([7, 5]);
});

test("a newer format is refused with a clear line", async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock();
  const log = await openSegmentLog({ folder: folder.path, clock });
  await log.append(message("a"));
  await log[Symbol.asyncDispose]();
  const path = await segmentIn(folder.path);
  const segment = await readFile(path);
  segment.writeUInt32LE(2, 8);
  segment.writeUInt32LE(crc32(segment.subarray(0, 28)), 28);
  await writeFile(path, segment);
  const opening = openSegmentLog({ folder: folder.path, clock });
  await expect(opening).rejects.toThrow(/log format 2; this version of Sotto reads up to 1/);
});

test("a log of format 1 is opened", async () => {
  await using folder = await temporaryFolder();
  const fixture = new URL("fixtures/segment-v1", import.meta.url).pathname;
  await cp(fixture, folder.path, { recursive: true });
  await using log = await openSegmentLog({ folder: folder.path, clock: new ManualClock() });
  const records = await log.read({ topic, after: 0, limit: 10 });
  expect(
    records.map(({ kind, sequence, previous, handshake, data }) => [
      kind,
      sequence,
      previous,
      handshake,
      Buffer.from(data).toString(),
    ]),
  ).toEqual([
    ["h", 1, 0, 0, "handshake"],
    ["m", 3, 0, 1, "hello"],
    ["m", 4, 3, 1, "again"],
  ]);
  expect((await log.head(topic)).incarnation).toBe("00112233445566778899aabbccddeeff");
});
