import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DirectoryDevice } from "@sotto/identity";
import { fromHex, parseDeviceId, parseMessageId, parseRoomId, parseUserId } from "@sotto/protocol";
import { type Content, ContentSchema, HistoryBundleSchema } from "@sotto/protocol/content";
import { expect, test } from "vitest";
import { MemoryStore } from "../ports/memory-store.ts";
import type { HistoryWord } from "../rooms/policy.ts";
import { areBounded, bundleBytesMax, bundlesMax, gatherBundles, toldBytesMax } from "./bundles.ts";
import { History } from "./history.ts";
import { entryOf, keepingOf } from "./said-message.ts";
import { readMemory } from "./take-memories.ts";
import { isCredible } from "./take-share.ts";
import { afterHandshake, afterJudging, afterShare, isOwed, nothingTold } from "./telling.ts";

const room = parseRoomId("aa".repeat(16));
const sender = parseUserId("01".repeat(16));
const device = parseDeviceId("02".repeat(16));

function bodyOf(text: string): Content["body"] {
  return text.startsWith("title ")
    ? { case: "title", value: { $typeName: "sotto.v1.RoomTitle", title: text.slice(6) } }
    : { case: "text", value: { $typeName: "sotto.v1.Text", text } };
}

function said(text: string, sequence: number) {
  const id = parseMessageId(sequence.toString(16).padStart(32, "0"));
  const init = { version: 1, id: fromHex(id), room: fromHex(room), body: bodyOf(text) };
  const content = create(ContentSchema, init);
  const encoded = toBinary(ContentSchema, content);
  return { room, sequence, sender, device, id, content, encoded };
}

async function remembering(texts: readonly [string, HistoryWord][]): Promise<MemoryStore> {
  const store = new MemoryStore();
  const history = await History.open(store);
  for (const [at, [text, policy]] of texts.entries()) {
    const message = said(text, 10 * (at + 1));
    const entry = entryOf(message);
    if (entry) await store.commit(history.changesFor(entry, keepingOf(message, policy)));
  }
  return store;
}

function textsIn(bundles: readonly Uint8Array[]): string[] {
  return bundles.flatMap((bytes) =>
    fromBinary(HistoryBundleSchema, bytes).messages.map(({ content }) => {
      const { body } = fromBinary(ContentSchema, content);
      if (body.case === "title") return `title ${body.value.title}`;
      return body.case === "text" ? body.value.text : "";
    }),
  );
}

test("what is passed on was said under all, in order, from where the last telling ended", async () => {
  const store = await remembering([
    ["title plans", "all"],
    ["one", "all"],
    ["not for newcomers", "since-join"],
    ["for nobody else", "none"],
    ["title plans", "all"],
    ["two", "all"],
    ["three", "all"],
  ]);
  const all = await gatherBundles(store, room, 0, 70);
  expect(textsIn(all)).toEqual(["title plans", "one", "two", "three"]);
  expect(textsIn(await gatherBundles(store, room, 50, 60))).toEqual(["two"]);
  expect(await gatherBundles(store, room, 70, 80)).toEqual([]);
  expect(await gatherBundles(store, parseRoomId("bb".repeat(16)), 0, 80)).toEqual([]);
});

test("a long history is told in bundles that a receiver takes, the newest of it", async () => {
  const large = "x".repeat(100_000);
  const store = await remembering(
    Array.from({ length: 700 }, (_, at) => [`${at} ${large}`, "all"] as const),
  );
  const bundles = await gatherBundles(store, room, 0, 7000);
  expect(bundles.length).toBeGreaterThan(1);
  expect(areBounded(bundles.map(({ length }) => length))).toBe(true);
  const told = textsIn(bundles).map((text) => Number.parseInt(text, 10));
  expect(told.at(-1)).toBe(699);
  expect(told[0]).toBeGreaterThan(0);
  expect(told).toEqual(Array.from({ length: told.length }, (_, at) => (told[0] ?? 0) + at));
}, 60_000);

test("bounds hold for each bundle, for their number, and for all of them", () => {
  expect(areBounded([bundleBytesMax])).toBe(true);
  expect(areBounded([bundleBytesMax + 1])).toBe(false);
  expect(areBounded(new Array(bundlesMax).fill(1))).toBe(true);
  expect(areBounded(new Array(bundlesMax + 1).fill(1))).toBe(false);
  expect(areBounded(new Array(toldBytesMax / bundleBytesMax + 1).fill(bundleBytesMax))).toBe(false);
});

test("a remembered message of another room, without a name, or too large is none", () => {
  const { encoded } = said("hello", 3);
  const message = (change: object) => ({
    $typeName: "sotto.v1.RememberedMessage" as const,
    ...{ sequence: 3n, sender: fromHex(sender), device: fromHex(device), content: encoded },
    ...change,
  });
  expect(readMemory(room, message({}))).toMatchObject({ sequence: 3, sender, device });
  expect(readMemory(room, message({}), sender)).toMatchObject({ toldBy: sender });
  for (const change of [
    { sequence: 0n },
    { sequence: 2n ** 63n },
    { sender: new Uint8Array(3) },
    { device: new Uint8Array() },
    { content: new Uint8Array([255, 255]) },
    { content: new Uint8Array() },
    { content: new Uint8Array(200_000) },
  ])
    expect(readMemory(room, message(change))).toBeUndefined();
  expect(readMemory(parseRoomId("bb".repeat(16)), message({}))).toBeUndefined();
});

test("who is owed a telling: users who are new, until a share covers them", () => {
  const [alice, bob, carol] = ["1", "2", "3"].map((digit) => ({
    user: parseUserId(digit.repeat(32)),
    device: parseDeviceId(digit.repeat(32)),
  })) as [LeafOf, LeafOf, LeafOf];
  const phone = { user: bob.user, device: parseDeviceId("4".repeat(32)) };
  const rosterOf = (...present: LeafOf[]) => ({
    ...{ room, foldedTo: 1, headHash: "", epoch: 1, directorySize: 1 },
    devices: new Map(present.map((leaf) => [leaf.device, { ...leaf, entered: 1 }])),
    ...{ admins: [], former: [], direct: [] },
  });
  const policyChanged = false;
  const byAlice = { own: alice, policyChanged };
  const bobIn = afterHandshake(nothingTold, {
    ...{ sequence: 5, added: [bob], roster: rosterOf(alice, bob), ...byAlice },
  });
  expect(bobIn).toMatchObject({ newcomers: 5, missing: 0 });
  expect(isOwed(bobIn)).toBe(true);
  const share = (upTo: bigint) => ({
    $typeName: "sotto.v1.HistoryShare" as const,
    ...{ bundles: [], upTo },
  });
  const told = afterShare(bobIn, 7, share(6n));
  expect(isOwed(told)).toBe(false);
  // Nobody covers what comes after the share itself, whatever it says.
  expect(afterShare(told, 9, share(1_000_000n)).told).toBe(8);
  expect(afterShare(told, 9, share(2n ** 63n))).toEqual({ ...told, last: 9 });
  // A further device of somebody who is there is told nothing.
  const roster = rosterOf(alice, bob, phone);
  const linked = afterHandshake(told, { ...{ sequence: 8, added: [phone], roster, ...byAlice } });
  expect(isOwed(linked)).toBe(false);
  // The newcomer itself lacks what stands before.
  const own = { own: carol, policyChanged: true };
  const added = { sequence: 9, added: [carol], roster: rosterOf(alice, bob, carol) };
  expect(afterHandshake(nothingTold, { ...added, ...own })).toEqual({
    ...{ ...nothingTold, missing: 9, entered: 9, policyFrom: 9 },
  });
});

test("who tells less than a device knows does not end the telling, and takes nothing back", () => {
  const sender = parseUserId("5".repeat(32));
  const share = (sequence: number) => ({
    ...{ sender, sequence },
    share: { $typeName: "sotto.v1.HistoryShare" as const, bundles: [], upTo: BigInt(sequence - 1) },
  });
  const came = { ...nothingTold, newcomers: 5 };
  const empty = afterJudging(afterShare(came, 7, share(7).share), share(7), false);
  expect(empty).toMatchObject({ told: 6, good: 0, judged: 7, short: true });
  expect(isOwed(empty)).toBe(true);
  const whole = afterJudging(afterShare(empty, 9, share(9).share), share(9), true);
  expect(whole).toMatchObject({ told: 8, good: 8, judged: 9, short: false });
  expect(isOwed(whole)).toBe(false);
  // Those who came have it: another empty one is nobody's loss.
  expect(isOwed(afterJudging(whole, share(11), false))).toBe(false);
  expect(isOwed(afterJudging({ ...whole, newcomers: 10 }, share(11), false))).toBe(true);
});

test("nobody tells of what stands behind the newcomer's own entry, or of devices that are not their sender's", () => {
  const mallory = parseUserId("0c".repeat(16));
  const unknown = parseDeviceId("0d".repeat(16));
  const directory = {
    device: (id: typeof device) =>
      id === device ? ({ user: sender } as DirectoryDevice) : undefined,
  };
  const message = said("hello", 30);
  expect(isCredible(message, directory, 31)).toBe(true);
  expect(isCredible(message, directory, 30)).toBe(false);
  expect(isCredible({ ...message, sender: mallory }, directory, 31)).toBe(false);
  expect(isCredible({ ...message, device: unknown }, directory, 31)).toBe(false);
});

interface LeafOf {
  readonly user: ReturnType<typeof parseUserId>;
  readonly device: ReturnType<typeof parseDeviceId>;
}
