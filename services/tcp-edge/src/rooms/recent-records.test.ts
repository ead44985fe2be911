import { expect, it } from "vitest";
import { RecentMemory } from "./recent-memory.ts";
import { RecentRecords } from "./recent-records.ts";

const record = (sequence: number, bytes = 1) => ({ sequence, frame: new Uint8Array(bytes) });
const sequences = (records: readonly { sequence: number }[] | undefined) =>
  records?.map(({ sequence }) => sequence);

it("answers all records after a sequence, or that some of them have gone", () => {
  const memory = new RecentMemory(1_000_000);
  const recent = new RecentRecords({ floor: 10, recordsMax: 3, bytesMax: 100, memory });
  expect(sequences(recent.after(10))).toEqual([]);
  expect(recent.after(9)).toBeUndefined();
  for (const sequence of [12, 15, 17, 20]) recent.add(record(sequence));
  expect(sequences(recent.after(15))).toEqual([17, 20]);
  expect(sequences(recent.after(12))).toEqual([15, 17, 20]);
  expect(recent.after(11)).toBeUndefined();
  expect(sequences(recent.after(99))).toEqual([]);
});

it("keeps its bounds in records and in bytes, for ever", () => {
  const memory = new RecentMemory(1_000_000);
  const recent = new RecentRecords({ floor: 0, recordsMax: 5, bytesMax: 30, memory });
  for (let sequence = 1; sequence <= 1000; sequence++) recent.add(record(sequence, 10));
  expect(sequences(recent.after(997))).toEqual([998, 999, 1000]);
  expect(recent.after(996)).toBeUndefined();
  expect(memory.bytes).toBe(3 * 266);
  recent.add(record(1001, 31));
  expect(sequences(recent.after(1001))).toEqual([]);
  expect(memory.bytes).toBe(0);
});

it("the oldest of all rooms go where all together are too many, and none are kept of one that is closed", () => {
  const memory = new RecentMemory(4 * 266);
  const options = { floor: 0, recordsMax: 5, bytesMax: 1000, memory };
  const [quiet, busy] = [new RecentRecords(options), new RecentRecords(options)];
  quiet.add(record(1, 10));
  quiet.add(record(2, 10));
  for (const sequence of [3, 4, 5]) busy.add(record(sequence, 10));
  expect(quiet.after(0)).toBeUndefined();
  expect(sequences(quiet.after(1))).toEqual([2]);
  expect(sequences(busy.after(2))).toEqual([3, 4, 5]);
  for (const sequence of [6, 7]) busy.add(record(sequence, 10));
  expect(sequences(quiet.after(2))).toEqual([]);
  expect(sequences(busy.after(3))).toEqual([4, 5, 6, 7]);
  expect(memory.bytes).toBe(4 * 266);
  busy.clear();
  expect(memory.bytes).toBe(0);
});
