import { expect, it } from "vitest";
import { RecentRecords } from "./recent-records.ts";

const record = (sequence: number, bytes = 1) => ({ sequence, frame: new Uint8Array(bytes) });
const sequences = (records: readonly { sequence: number }[] | undefined) =>
  records?.map(({ sequence }) => sequence);

it("answers all records after a sequence, or that some of them have gone", () => {
  const recent = new RecentRecords({ floor: 10, recordsMax: 3, bytesMax: 100 });
  expect(sequences(recent.after(10))).toEqual([]);
  expect(recent.after(9)).toBeUndefined();
  for (const sequence of [12, 15, 17, 20]) recent.add(record(sequence));
  expect(sequences(recent.after(15))).toEqual([17, 20]);
  expect(sequences(recent.after(12))).toEqual([15, 17, 20]);
  expect(recent.after(11)).toBeUndefined();
  expect(sequences(recent.after(99))).toEqual([]);
});

it("keeps its bounds in records and in bytes, for ever", () => {
  const recent = new RecentRecords({ floor: 0, recordsMax: 5, bytesMax: 30 });
  for (let sequence = 1; sequence <= 1000; sequence++) recent.add(record(sequence, 10));
  expect(sequences(recent.after(997))).toEqual([998, 999, 1000]);
  expect(recent.after(996)).toBeUndefined();
});
