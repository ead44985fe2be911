import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { fromHex, type MessageId, type RoomId, toHex } from "@sotto/protocol";
import { type Content, ContentSchema } from "@sotto/protocol/content";
import { expect, test } from "vitest";
import { sha256 } from "../bytes.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { Outbox } from "./outbox.ts";
import { newRoomState, parseRoomState, type RoomState } from "./room-state.ts";
import { followChain } from "./sender-chain.ts";
import { takeBack } from "./take-back.ts";

const room = "aa".repeat(16) as RoomId;
const idOf = (n: number) => String(n).padStart(32, "0") as MessageId;

/** An outbox with messages 1 to `count`, chained. */
async function filled(
  count: number,
): Promise<{ store: MemoryStore; outbox: Outbox; state: RoomState }> {
  const store = new MemoryStore();
  const outbox = await Outbox.open(store);
  const state = newRoomState(room, 1);
  for (let n = 1; n <= count; n++) {
    const content = toBinary(
      ContentSchema,
      create(ContentSchema, {
        id: fromHex(idOf(n)),
        senderSequence: BigInt(n),
        previousSha256: fromHex(state.previousSha256),
        body: { case: "text", value: { text: `message ${n}` } },
      }),
    );
    state.senderSequence = n;
    state.previousSha256 = toHex(await sha256(content));
    const entry = outbox.draft(room, idOf(n), content);
    await store.commit([{ table: "outbox", key: entry.key, value: content }]);
    outbox.remember(entry);
  }
  return { store, outbox, state };
}

async function take(
  { store, outbox, state }: Awaited<ReturnType<typeof filled>>,
  n: number,
  sealed: readonly number[] = [],
): Promise<Content[]> {
  const entry = outbox.find(room, idOf(n));
  if (!entry) throw new Error("no such message");
  const { changes, done } = await takeBack(outbox, state, entry, ({ id }) =>
    sealed.some((other) => idOf(other) === id),
  );
  await store.commit(changes);
  done();
  const stored = await store.scan("outbox", { limit: 100 });
  expect(stored.map(({ value }) => toHex(value))).toEqual(
    outbox.of(room).map(({ content }) => toHex(content)),
  );
  const row = await store.get("rooms", room);
  expect(row && parseRoomState(row)).toEqual(state);
  return outbox.of(room).map(({ content }) => fromBinary(ContentSchema, content));
}

/** What a receiver of these finds missing. */
async function missed(contents: readonly Content[]): Promise<number> {
  let chain = { sequence: 0, sha256: "", unopened: 0, mayRestart: false, gaps: [] as const } as
    | Parameters<typeof followChain>[0]
    | undefined;
  let count = 0;
  for (const content of contents) {
    const followed = followChain(chain, {
      sequence: Number(content.senderSequence),
      sha256: toHex(await sha256(toBinary(ContentSchema, content))),
      previousSha256: toHex(content.previousSha256),
      withdrawn: content.withdrawn.map(Number),
    });
    chain = followed.chain;
    count += followed.missing?.count ?? 0;
  }
  return count;
}

test("what was never sealed leaves no gap", async () => {
  const box = await filled(4);
  const rest = await take(box, 2);
  expect(rest.map(({ senderSequence }) => Number(senderSequence))).toEqual([1, 2, 3]);
  expect(await missed(rest)).toBe(0);
  expect(box.state).toMatchObject({ senderSequence: 3, withdrawn: [] });
});

test("the last one taken back gives its number to the next", async () => {
  const box = await filled(2);
  await take(box, 2);
  expect(box.state.senderSequence).toBe(1);
  await take(box, 1);
  expect(box.state).toMatchObject({ senderSequence: 0, previousSha256: "", withdrawn: [] });
});

test("one that was sealed and refused is told by the next that was not sealed", async () => {
  const box = await filled(4);
  const rest = await take(box, 2, [1, 2]);
  expect(rest.map(({ senderSequence }) => Number(senderSequence))).toEqual([1, 3, 4]);
  expect(rest[1]?.withdrawn).toEqual([2n]);
  expect(await missed(rest)).toBe(0);
});

test("where all that follows was sealed, the next message of all tells of it", async () => {
  const box = await filled(3);
  const rest = await take(box, 2, [1, 2, 3]);
  expect(rest.map(({ senderSequence }) => Number(senderSequence))).toEqual([1, 3]);
  expect(box.state).toMatchObject({ senderSequence: 3, withdrawn: [2] });
});

test("what a message told goes on to the next when that message is taken back", async () => {
  const box = await filled(4);
  await take(box, 2, [1, 2]);
  const rest = await take(box, 3, [1]);
  expect(rest.map(({ withdrawn }) => withdrawn)).toEqual([[], [2n]]);
  expect(await missed(rest)).toBe(0);
});
