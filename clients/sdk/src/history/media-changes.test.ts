import { create, toBinary } from "@bufbuild/protobuf";
import { fromHex, parseDeviceId, parseMessageId, parseRoomId, parseUserId } from "@sotto/protocol";
import { type Content, ContentSchema, MediaManifestSchema } from "@sotto/protocol/content";
import { expect, test } from "vitest";
import { textOf } from "../bytes.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { History } from "./history.ts";
import { mediaChanges, type SaidMessage } from "./said-message.ts";
import { takeInOrder } from "./take-in-order.ts";
import { takeMemory } from "./take-memories.ts";

const room = parseRoomId("aa".repeat(16));
const elsewhere = parseRoomId("bb".repeat(16));
const alice = parseUserId("01".repeat(16));
const mallory = parseUserId("02".repeat(16));
const object = "0c".repeat(16);

let count = 0;

function said(body: Content["body"], by: Partial<SaidMessage>): SaidMessage {
  const sequence = ++count;
  const id = parseMessageId(sequence.toString(16).padStart(32, "0"));
  const at = by.room ?? room;
  const content = create(ContentSchema, { version: 1, id: fromHex(id), room: fromHex(at), body });
  const encoded = toBinary(ContentSchema, content);
  const device = parseDeviceId("03".repeat(16));
  return { room, sequence, sender: alice, device, id, content, encoded, ...by };
}

function announced(name: string, by: Partial<SaidMessage> = {}): SaidMessage {
  const value = create(MediaManifestSchema, { object: fromHex(object), name });
  return said({ case: "media", value }, by);
}

function deleted(by: Partial<SaidMessage> = {}): SaidMessage {
  const value = { $typeName: "sotto.v1.MediaDeleted", object: fromHex(object) } as const;
  return said({ case: "mediaDeleted", value }, by);
}

const others = [
  { sender: mallory },
  { room: elsewhere },
  { room: elsewhere, sender: mallory },
  { toldBy: mallory },
];

async function kept(store: MemoryStore): Promise<unknown> {
  const value = await store.get("media", object);
  return value && JSON.parse(textOf(value));
}

test("nobody else replaces or deletes what somebody announced", async () => {
  const store = new MemoryStore();
  await store.commit(await mediaChanges(store, announced("hers")));
  const first = await kept(store);
  expect(first).toMatchObject({ room, sender: alice });
  for (const by of others) {
    await store.commit(await mediaChanges(store, announced("forged", by)));
    await store.commit(await mediaChanges(store, deleted(by)));
    expect(await kept(store)).toEqual(first);
  }
  await store.commit(await mediaChanges(store, deleted()));
  expect(await kept(store)).toBeUndefined();
});

test("of what is told, a deletion is obeyed only where it is the announcer's", async () => {
  const toldBy = mallory;
  for (const [by, stays] of [
    [{ sender: mallory, toldBy }, true],
    [{ toldBy }, false],
  ] as const) {
    for (const order of ["after", "before"]) {
      const store = new MemoryStore();
      const history = await History.open(store);
      const both =
        order === "after"
          ? [announced("hers", { toldBy }), deleted(by)]
          : [deleted(by), announced("hers", { toldBy })];
      const items = both.map((one) => ({
        sequence: one.sequence,
        take: () => takeMemory(history, store, { said: one, passOn: true }, false),
      }));
      await takeInOrder(history, store, items);
      expect((await kept(store)) !== undefined, `${order} ${stays}`).toBe(stays);
    }
  }
});
