import { parseRoomId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { textOf } from "./bytes.ts";
import { History } from "./history/history.ts";
import { Notices } from "./notices.ts";
import { MemoryStore } from "./ports/memory-store.ts";

const room = parseRoomId("ab".repeat(16));
const live = { emit: () => {} };

async function told(notices: Notices): Promise<string[]> {
  const texts: string[] = [];
  await notices.tellAlerts(async (text) => void texts.push(text));
  return texts;
}

test("an alert is told once, also by a later process, and of too many the newest", async () => {
  const store = new MemoryStore();
  const notices = await Notices.open(store, live);
  for (let i = 1; i <= 21; i++) await store.commit([notices.alert(`alert ${i}`)]);
  const later = await Notices.open(store, live);
  const texts = await told(later);
  expect(texts).toHaveLength(20);
  expect(texts.at(-1)).toBe("alert 21");
  expect(await told(later)).toEqual([]);
  expect(await told(await Notices.open(store, live))).toEqual([]);
});

test("an alert that could not be told is told the next time", async () => {
  const store = new MemoryStore();
  const notices = await Notices.open(store, live);
  await store.commit([notices.alert("a device was added")]);
  const gone = notices.tellAlerts(async () => {
    throw new Error("nobody is there");
  });
  await expect(gone).rejects.toThrow("nobody is there");
  expect(await told(notices)).toEqual(["a device was added"]);
});

test("what happens in a room is given to its commit once, the same in a row as one", async () => {
  const notices = await Notices.open(new MemoryStore(), live);
  for (const text of ["skipped", "skipped", "came back"]) notices.keep(room, text);
  const history = await History.open(new MemoryStore());
  const lines = () =>
    notices
      .changesFor(history, room, 7)
      .map(({ value }) => JSON.parse(textOf(value ?? new Uint8Array())));
  const line = { type: "notice", room, sequence: 7 };
  expect(lines()).toEqual([
    { ...line, text: "skipped" },
    { ...line, text: "came back" },
  ]);
  expect(lines()).toEqual([]);
});
