import { fromBinary } from "@bufbuild/protobuf";
import {
  parseDeviceId,
  parseMessageId,
  parseRoomId,
  parseUserId,
  type UserId,
} from "@sotto/protocol";
import { ContentSchema } from "@sotto/protocol/content";
import { ArchivedEntrySchema } from "@sotto/protocol/devices";
import { expect, test } from "vitest";
import { utf8 } from "../bytes.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import { History } from "./history.ts";
import type { HistoryEntry, NumberedEntry } from "./history-entry.ts";

const room = parseRoomId("aa".repeat(16));
const other = parseRoomId("bb".repeat(16));
const sender = parseUserId("01".repeat(16));
const device = parseDeviceId("02".repeat(16));

function said(text: string, sequence: number, at = room): HistoryEntry {
  const id = parseMessageId(sequence.toString(16).padStart(32, "0"));
  return { type: "message", room: at, sequence, id, sender, device, text, at: 1 };
}

async function texts(history: History): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of history.read({ follow: false }))
    found.push(entry.type === "message" ? entry.text : entry.type);
  return found;
}

async function opened() {
  const store = new MemoryStore();
  const history = await History.open(store);
  const put = async (changes: StoreChange[]) => {
    await store.commit(changes);
    history.announce(changes);
  };
  return { store, history, put };
}

test("what was said before stands before, in the order of its room, however late it comes", async () => {
  const { store, history, put } = await opened();
  await put(history.changesFor(said("elsewhere", 5, other)));
  await put(history.changesFor(said("ten", 10)));
  await put(history.changesFor(said("elsewhere too", 12, other)));
  await put(history.changesFor(said("twenty", 20)));
  // Sequences of two rooms may be the same ones.
  for (const [text, sequence, at] of [
    ["fifteen", 15, room],
    ["two", 2, room],
    ["one", 1, room],
    ["other two", 2, other],
    ["thirty", 30, room],
    ["sixteen", 16, room],
  ] as const)
    await put(await history.placed(said(text, sequence, at)));
  const order = [
    ...["other two", "elsewhere", "one", "two", "ten", "fifteen", "sixteen"],
    ...["elsewhere too", "twenty", "thirty"],
  ];
  expect(await texts(history)).toEqual(order);
  await put(history.changesFor(said("forty", 40)));
  expect(await texts(await History.open(store))).toEqual([...order, "forty"]);
});

test("what can be read after all takes the place of the line that said that it cannot", async () => {
  const { history, put } = await opened();
  await put(history.changesFor(said("one", 1)));
  const why = "cannot-open";
  await put(history.changesFor({ type: "history-unavailable", room, sequence: 2, why }));
  await put(history.changesFor(said("three", 3)));
  await put(await history.placed(said("two", 2)));
  expect(await texts(history)).toEqual(["one", "two", "three"]);
});

test("a reader that follows gets what is put behind it, once, and what follows", async () => {
  const { history, put } = await opened();
  await put(history.changesFor(said("ten", 10)));
  const stop = new AbortController();
  const got: NumberedEntry[] = [];
  let ready = 0;
  const reading = (async () => {
    const caughtUp = async () => {
      ready++;
    };
    for await (const entry of history.read({ follow: true, signal: stop.signal, caughtUp }))
      got.push(entry);
  })();
  await expect.poll(() => ready).toBe(1);
  const placed = [
    ...(await history.placed(said("one", 1))),
    ...(await history.placed(said("two", 2))),
  ];
  await put(placed);
  await put(history.changesFor(said("eleven", 11)));
  await expect.poll(() => got.length).toBe(4);
  await put(history.amend(history.last, said("eleven, amended", 11)));
  await expect.poll(() => got.length).toBe(5);
  stop.abort();
  await reading;
  const all = got.map((entry) => (entry.type === "message" ? entry.text : ""));
  expect(all.toSorted()).toEqual(["eleven", "eleven, amended", "one", "ten", "two"]);
  expect(all.slice(0, 3)).toEqual(["ten", "one", "two"]);
  expect(ready).toBe(1);
});

test("a history of format 1 is brought up: it has its index, and messages that can be told", async () => {
  const store = new MemoryStore();
  // As the first released client wrote it.
  const old = [
    {
      type: "membership",
      room,
      sequence: 3,
      by: sender,
      change: "created",
      users: [sender],
      order: 1,
    },
    { ...said("hello", 4), order: 2 },
    { type: "title", room, sequence: 5, sender, title: "general", at: 1, order: 3 },
  ];
  await store.commit(
    old.map((entry) => ({
      table: "history",
      key: String(entry.order).padStart(16, "0"),
      value: utf8(JSON.stringify(entry)),
    })),
  );
  const history = await History.open(store);
  expect(await history.at(room, 4)).toMatchObject({ text: "hello", order: "0000000000000002" });
  const [row, another] = await store.scan("remembered", { limit: 2 });
  expect(another).toBeUndefined();
  const kept = fromBinary(ArchivedEntrySchema, row?.value ?? new Uint8Array());
  expect(kept.passOn).toBe(true);
  expect(fromBinary(ContentSchema, kept.message?.content ?? new Uint8Array()).body).toMatchObject({
    case: "text",
    value: { text: "hello" },
  });
  expect((await store.scan("archive-queue", { limit: 9 })).map(({ key }) => Number(key))).toEqual([
    1, 2,
  ]);
  await store.commit([{ table: "archive-queue", key: "0000000000000002", value: undefined }]);
  await History.open(store);
  expect(await store.scan("archive-queue", { limit: 9 })).toHaveLength(1);
});

test("somebody is gone who was taken out, not one who lost a device there", async () => {
  const { history, put } = await opened();
  const moved = (change: "added" | "removed", sequence: number, devicesOf = [] as UserId[]) =>
    put(
      history.changesFor({
        type: "membership",
        room,
        sequence,
        change,
        users: [sender],
        by: sender,
        devicesOf,
      }),
    );
  await moved("added", 1);
  await moved("removed", 2, [sender]);
  expect(await history.isGone(room, sender)).toBe(false);
  await moved("removed", 3);
  expect(await history.isGone(room, sender)).toBe(true);
});
