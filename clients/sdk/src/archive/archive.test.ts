import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Directory } from "@sotto/identity";
import { ErrorCode, SottoError } from "@sotto/protocol";
import { ArchivedEntrySchema, ArchivedHistorySchema } from "@sotto/protocol/devices";
import { expect, test } from "vitest";
import {
  alone,
  Device,
  elsewhere,
  newKeys,
  type Person,
  robbed,
} from "../../test/archiving-devices.ts";
import { randomBytes } from "../bytes.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { sealBatch } from "./archive-key.ts";
import { signArchiveRecord } from "./archive-record.ts";
import { ArchiveState } from "./archive-state.ts";

test("a device that comes later has everything, in order, and what others told too", async () => {
  const { person, first } = await alone();
  await first.created();
  for (const at of [2, 3, 4, 5, 6, 7, 8, 9]) {
    await first.hear(`message ${at}`, at);
    // Many small batches, so that they are read over several pages.
    if (at % 2 === 0) await first.archive.flush();
  }
  await first.hear("not for the archive", 10, "none");
  const keys = await newKeys();
  await person.add(keys, first.keys);
  await first.archive.grantDevice(keys.id);
  await first.archive.flush();
  expect(await first.queued()).toBe(0);
  const second = await Device.open(person, keys);
  expect(second.archive.known).toBe(false);
  await second.archive.catchUp();
  const messages = [2, 3, 4, 5, 6, 7, 8, 9].map((at) => `message ${at}`);
  expect(await second.texts()).toEqual(["membership", ...messages]);
  expect(await second.queued()).toBe(0);
  // What it has can be told to newcomers by it as well.
  expect(await second.store.scan("remembered", { limit: 100 })).toHaveLength(8);
});

test("a new device reads in order, also where batches stand before and after its keys", async () => {
  const { person, first } = await alone();
  const keys = await newKeys();
  await first.hear("one", 2);
  await first.archive.flush();
  await person.add(keys, first.keys);
  await first.archive.grantDevice(keys.id);
  await first.hear("elsewhere", 3, "all", elsewhere);
  await first.archive.flush();
  const second = await Device.open(person, keys);
  // Stopped between looking for keys and reading: it goes on where it was.
  let reads = 0;
  const { read } = person.port;
  person.port.read = async (after) => {
    if (++reads > 2) throw new Error("the cable was pulled");
    return await read.call(person.port, after);
  };
  await expect(second.archive.catchUp()).rejects.toThrow("cable");
  person.port.read = read;
  const again = await Device.open(person, keys, second.store);
  await again.archive.catchUp();
  expect(await again.texts()).toEqual(["one", "elsewhere"]);
});

test("nobody reads it whose device is not named: not the server, and not an other person", async () => {
  const { person, first } = await alone();
  await first.hear("a needle", 2);
  await first.archive.flush();
  const needle = Buffer.from("a needle");
  const whole = Buffer.concat(person.port.records.map(({ data }) => data));
  expect(whole.includes(needle)).toBe(false);
  const keys = await newKeys();
  await person.add(keys, first.keys);
  const second = await Device.open(person, keys);
  await second.archive.catchUp();
  expect(await second.texts()).toEqual([]);
  // The keys come after the batches, and then they are read.
  await first.archive.grantDevice(keys.id);
  await second.archive.catchUp();
  expect(await second.texts()).toEqual(["a needle"]);
});

test("a recovery phrase gets the keys, and gives them to the machine that comes back", async () => {
  const { person, first } = await alone();
  await first.hear("before the fire", 2);
  await first.archive.flush();
  const phrase = await newKeys();
  await person.recovery(phrase, first.keys);
  await first.archive.grantDevice(phrase.id);
  const paper = await Device.open(person, phrase);
  await paper.archive.catchUp();
  const keys = await newKeys();
  await person.add(keys, phrase);
  await paper.archive.grantDevice(keys.id);
  const back = await Device.open(person, keys);
  await back.archive.catchUp();
  expect(await back.texts()).toEqual(["before the fire"]);
});

test("after a revocation there is another key, and nothing of the revoked device counts", async () => {
  const { person, first, stolen, thief } = await robbed();
  expect(await thief.texts()).toEqual(["with the stolen one"]);

  const sizeBefore = person.directory.size;
  await person.revoke(stolen.id, first.keys);
  await first.hear("without it", 3);
  await first.archive.flush();
  await thief.archive.catchUp();
  expect(await thief.texts()).toEqual(["with the stolen one"]);

  // The thief writes on, as if it had not heard of it, with a server that lets it.
  await thief.hear("a lie", 4);
  const asBefore = { directory: person.directory, size: sizeBefore };
  const { archivedLie } = await lie(person, thief, asBefore);
  await person.port.append(randomBytes(16), archivedLie);
  const third = await newKeys();
  await person.add(third, first.keys);
  await first.archive.grantDevice(third.id);
  const later = await Device.open(person, third);
  await later.archive.catchUp();
  expect(await later.texts()).toEqual(["with the stolen one", "without it"]);
  // The test can fail: who does not look at the writer believes it.
  const naive = await Device.open(person, third, new MemoryStore(), false);
  await naive.archive.catchUp();
  expect(await naive.texts()).toEqual(["with the stolen one", "without it", "a lie"]);
});

test("a new log does not make the word of a revoked device count that stands before its revocation", async () => {
  const { person, first, stolen, thief } = await robbed();
  const before = { directory: person.directory, size: person.directory.size };
  await person.revoke(stolen.id, first.keys);
  await first.hear("without it", 3);
  await first.archive.flush();
  await first.archive.catchUp();
  await thief.hear("a lie", 4);
  const { archivedLie } = await lie(person, thief, before);
  const naive = await Device.open(person, first.keys, new MemoryStore(), false);
  await naive.archive.catchUp();
  person.port.incarnation = "bb".repeat(8);
  person.port.records = [{ sequence: 1, data: archivedLie }, ...person.port.records];
  await first.archive.catchUp();
  expect(await first.texts()).toEqual(["with the stolen one", "without it"]);
  // It stays so over a restart, and in the next log.
  const restarted = await Device.open(person, first.keys, first.store);
  person.port.incarnation = "cc".repeat(8);
  await restarted.archive.catchUp();
  expect(await restarted.texts()).toEqual(["with the stolen one", "without it"]);
  // The test can fail: who does not look at the writer believes it.
  await naive.archive.catchUp();
  expect(await naive.texts()).toContain("a lie");
});

/** A batch by a device whose revocation it does not mention, under the key that it has. */
async function lie(
  person: Person,
  thief: Device,
  directory: { directory: Directory; size: number },
) {
  const state = await ArchiveState.open(thief.store);
  const [id = "", { key } = { key: undefined }] =
    [...state.keys].find(([, { key }]) => key !== undefined) ?? [];
  if (!key) throw new Error("the thief has no key");
  const rows = await thief.store.scan("remembered", { limit: 100, reverse: true });
  const newest = fromBinary(ArchivedEntrySchema, rows[0]?.value ?? new Uint8Array());
  const history = create(ArchivedHistorySchema, { entries: [newest] });
  const batch = await sealBatch(person.user, id, key, toBinary(ArchivedHistorySchema, history));
  const identity = { ...person.identity(thief.keys), directory };
  return { archivedLie: await signArchiveRecord(identity, { case: "batch", value: batch }) };
}

test("of two devices that read the same, one archives it", async () => {
  const { person, first } = await alone();
  const keys = await newKeys();
  await person.add(keys, first.keys);
  await first.hear("one", 2);
  await first.archive.flush();
  await first.archive.grantDevice(keys.id);
  const second = await Device.open(person, keys);
  await second.archive.catchUp();
  for (const device of [first, second]) {
    await device.hear("two", 3);
    await device.hear("three", 4);
  }
  const before = person.port.records.length;
  // Both wait for a moment, one of them longer.
  for (let ms = 0; ms < 10_000; ms += 500) {
    await first.clock.advance(500);
    await second.clock.advance(500);
    await Promise.all([first.archive, second.archive].map((one) => one[Symbol.asyncDispose]()));
  }
  expect(person.port.records.length).toBe(before + 1);
  for (const device of [first, second]) {
    expect(await device.queued()).toBe(0);
    expect(await device.texts()).toEqual(["one", "two", "three"]);
  }
});

test("a stop between queue and archive loses nothing, and one after it doubles nothing", async () => {
  const { person, first } = await alone();
  await first.hear("one", 2);
  await first.archive.flush();
  await first.hear("two", 3);
  const broken = new Error("the power went");
  person.port.beforeAppend = () => {
    throw broken;
  };
  await expect(first.archive.flush()).rejects.toBe(broken);
  // Started again on the same store; this time it stops when the batch is there already.
  const again = await Device.open(person, first.keys, first.store);
  expect(await again.queued()).toBe(1);
  person.port.beforeAppend = () => {};
  const { commit } = first.store;
  const appended = person.port.records.length;
  first.store.commit = async (changes) => {
    if (person.port.records.length > appended) throw broken;
    await commit.call(first.store, changes);
  };
  await expect(again.archive.flush()).rejects.toBe(broken);
  first.store.commit = commit;
  expect(await again.queued()).toBe(1);
  const last = await Device.open(person, first.keys, first.store);
  await last.archive.flush();
  expect(await last.queued()).toBe(0);
  expect(person.port.records.length).toBe(appended + 1);
  expect(await last.texts()).toEqual(["one", "two"]);
});

/** A device that has archived four messages, one by one. */
async function remembering() {
  const { person, first } = await alone();
  await first.created();
  for (const at of [2, 3, 4, 5]) {
    await first.hear(`message ${at}`, at);
    await first.archive.flush();
  }
  return { person, first };
}

/** The archive has all of that once the device has written, and a new device finds it there. */
async function givesBack(person: Awaited<ReturnType<typeof alone>>["person"], first: Device) {
  await first.archive.flush();
  const keys = await newKeys();
  await person.add(keys, first.keys);
  await first.archive.grantDevice(keys.id);
  const second = await Device.open(person, keys);
  await second.archive.catchUp();
  expect((await second.texts()).toSorted()).toEqual([
    "membership",
    ...[2, 3, 4, 5].map((at) => `message ${at}`),
  ]);
}

test("an archive that was set back gets again what it lost", async () => {
  const { person, first } = await remembering();
  person.port.incarnation = "bb".repeat(8);
  person.port.records = person.port.records.slice(0, 3);
  await givesBack(person, first);
});

test("so it does where others went on in it under its old name, past where this device was", async () => {
  const { person, first } = await remembering();
  const before = person.port.records.length;
  person.port.records = person.port.records.slice(0, 3);
  while (person.port.records.length <= before)
    await person.port.append(randomBytes(16), randomBytes(100));
  await givesBack(person, first);
});

test("garbage, foreign records and trouble at the server end nothing", async () => {
  const { person, first } = await alone();
  const { person: stranger, first: their } = await alone();
  await their.hear("of somebody else", 2);
  await their.archive.flush();
  await first.hear("one", 2);
  await first.archive.flush();
  for (const { data } of stranger.port.records) await person.port.append(randomBytes(16), data);
  await person.port.append(randomBytes(16), randomBytes(200));
  for (const { data } of [...person.port.records]) {
    const altered = data.slice();
    altered[altered.length >> 1] = (altered[altered.length >> 1] ?? 0) ^ 1;
    await person.port.append(randomBytes(16), altered);
  }
  let refused = 0;
  person.port.beforeAppend = () => {
    if (refused++ < 2) throw new SottoError(ErrorCode.UNAVAILABLE, "not now");
  };
  await first.hear("two", 3);
  for (let ms = 0; ms < 60_000 && (await first.queued()) > 0; ms += 1000) {
    await first.clock.advance(1000);
    await first.archive[Symbol.asyncDispose]();
  }
  expect(refused).toBeGreaterThan(2);
  expect(await first.queued()).toBe(0);
  expect(await first.texts()).toEqual(["one", "two"]);
});

test("the archive gives way to a room that is read on, and not for ever", async () => {
  const { person, first } = await alone();
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 1000) {
      await first.clock.advance(1000);
      await first.archive[Symbol.asyncDispose]();
    }
  };
  first.load.busy = true;
  await first.hear("one", 2);
  await pass(20_000);
  expect(person.port.records).toEqual([]);
  first.load.busy = false;
  await pass(3000);
  expect(await first.queued()).toBe(0);
  first.load.busy = true;
  await first.hear("two", 3);
  await pass(120_000);
  expect(await first.queued()).toBe(0);
});

test("while the directory is not believed nothing is sealed; what waits goes on when it is", async () => {
  const { person, first } = await alone();
  await first.hear("one", 2);
  await first.archive.flush();
  const written = person.port.records.length;
  const keys = await newKeys();
  await person.add(keys, first.keys);
  const withheld = new Error("records are held back");
  first.directory.refusal = withheld;
  await first.hear("two", 3);
  const wait = async () => {
    for (let ms = 0; ms < 20_000; ms += 500) {
      await first.clock.advance(500);
      await first.archive[Symbol.asyncDispose]();
    }
  };
  await wait();
  await expect(first.archive.flush()).rejects.toBe(withheld);
  await expect(first.archive.grantDevice(keys.id)).rejects.toBe(withheld);
  expect(person.port.records).toHaveLength(written);
  expect(await first.queued()).toBe(1);
  first.directory.refusal = undefined;
  first.archive.wake();
  await wait();
  expect(await first.queued()).toBe(0);
  const second = await Device.open(person, keys);
  await second.archive.catchUp();
  expect(await second.texts()).toEqual(["one", "two"]);
});

test("a directory that is found out between two batches stops the second one", async () => {
  const { person, first } = await alone();
  await first.hear("one", 2);
  person.port.beforeAppend = () => {
    first.directory.refusal = new Error("a fork");
  };
  // The key is written, and with it comes the bad news.
  first.archive.wake();
  await first.clock.advance(20_000);
  await first.archive[Symbol.asyncDispose]();
  expect(person.port.records).toHaveLength(1);
  expect(await first.queued()).toBe(1);
});
