import type { DeviceId, MessageId, RoomId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { History } from "../history/history.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { KeptAside, keptAsideMax } from "./kept-aside.ts";

const room = "aa".repeat(16) as RoomId;
const device = "bb".repeat(16) as DeviceId;
const idOf = (sequence: number) => String(sequence).padStart(32, "0") as MessageId;

async function opened() {
  const store = new MemoryStore();
  const history = await History.open(store);
  const aside = await KeptAside.open(store, room);
  const cannotOpen = async (sequence: number, sealed?: Uint8Array) => {
    const { run, changes } = aside.tell(history, sequence);
    const kept = aside.keep({ sequence, device, id: idOf(sequence), run }, sealed);
    await store.commit([...changes, ...kept.changes]);
    return kept.dropped;
  };
  const comes = async (sequence: number) => {
    const kept = aside.at(sequence);
    if (kept) await store.commit(await aside.settle(history, kept));
  };
  const told = async () => {
    const sequences: number[] = [];
    for await (const entry of history.read({ follow: false })) sequences.push(entry.sequence);
    return sequences;
  };
  return { store, history, aside, cannotOpen, comes, told };
}

test("records beside one another are told of by one entry, which goes when all of them came", async () => {
  const { aside, cannotOpen, comes, told } = await opened();
  for (const sequence of [3, 5, 6]) await cannotOpen(sequence);
  expect(await told()).toEqual([3]);
  aside.endRun();
  await cannotOpen(9);
  expect(await told()).toEqual([3, 9]);
  await comes(5);
  expect(await told()).toEqual([3, 9]);
  // The first one's place is its own now: the entry stands at the next that is missing.
  await comes(3);
  expect(await told()).toEqual([6, 9]);
  await comes(6);
  expect(await told()).toEqual([9]);
  await comes(9);
  expect(await told()).toEqual([]);
});

test("what is kept aside is there after a restart, with what was asked", async () => {
  const { store, aside, cannotOpen } = await opened();
  await cannotOpen(3, new Uint8Array([1, 2]));
  await cannotOpen(4);
  const [, second] = aside.all();
  if (second) await store.commit([aside.asked(second)]);
  const again = await KeptAside.open(store, room);
  expect(again.all()).toEqual(aside.all());
  const [first] = again.all();
  expect(first && (await again.sealed(store, first))).toEqual(new Uint8Array([1, 2]));
  expect(again.find(device, idOf(4))).toMatchObject({ sequence: 4, asked: true });
});

test("only so many are kept, and so many bytes: the oldest go", async () => {
  const { store, aside, cannotOpen } = await opened();
  for (let sequence = 1; sequence <= keptAsideMax; sequence++)
    expect(await cannotOpen(sequence)).toBe(0);
  expect(await cannotOpen(keptAsideMax + 1)).toBe(1);
  expect(aside.at(1)).toBeUndefined();
  expect(aside.all()).toHaveLength(keptAsideMax);
  const large = new Uint8Array(3 * 1024 * 1024);
  await cannotOpen(keptAsideMax + 2, large);
  // One for its place, and the one whose bytes are too many with it.
  expect(await cannotOpen(keptAsideMax + 3, large)).toBe(2);
  const kept = await store.scan("aside", { prefix: `${room}/s/`, limit: 10 });
  expect(kept).toHaveLength(1);
});
