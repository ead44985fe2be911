import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { generateSealingKey } from "@sotto/mls";
import {
  type DeviceId,
  fromHex,
  type MessageId,
  type RoomId,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { type Again, AskAgainSchema, ContentSchema } from "@sotto/protocol/content";
import { expect, test } from "vitest";
import { utf8 } from "../bytes.ts";
import { allChecks } from "../checks.ts";
import { History } from "../history/history.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { answerAgain, openAgain } from "./again.ts";
import { KeptAside } from "./kept-aside.ts";
import type { MessageStep } from "./message-step.ts";
import { Outbox } from "./outbox.ts";
import { encodePolicy, type HistoryWord } from "./policy.ts";
import { newRoomState } from "./room-state.ts";
import { SenderChains } from "./sender-chains.ts";
import { SentContents } from "./sent-contents.ts";

const room = "aa".repeat(16) as RoomId;
const id = "0f".repeat(16) as MessageId;
const author = { user: "a0".repeat(16) as UserId, device: "a1".repeat(16) as DeviceId };
const asker = { user: "b0".repeat(16) as UserId, device: "b1".repeat(16) as DeviceId };
const said = toBinary(
  ContentSchema,
  create(ContentSchema, {
    id: fromHex(id),
    room: fromHex(room),
    senderSequence: 1n,
    body: { case: "text", value: { text: "hello" } },
  }),
);

/** One device's side of a room in which `author` said something at sequence 7. */
async function side(own: typeof author, policy: HistoryWord = "all", since = 1) {
  const store = new MemoryStore();
  const key = await generateSealingKey();
  const devices = new Map([author, asker].map((one) => [one.device, { ...one, entered: since }]));
  const place = { reading: 0, sequence: since };
  const state = { ...newRoomState(room, 1), since: { [asker.user]: place, [asker.device]: place } };
  const headHash = "00".repeat(32);
  const none = { admins: [], former: [], direct: [] };
  state.roster = { room, foldedTo: 1, headHash, epoch: 0, directorySize: 1, devices, ...none };
  const chains = await SenderChains.open(store, room);
  const aside = await KeptAside.open(store, room);
  const sent = new SentContents(store, room);
  const directory = { device: () => ({ keys: { seal: key.publicKey } }), head: async () => head };
  const head = { size: 1, root: new Uint8Array(32) };
  const context = {
    profile: { ...own, secrets: { seal: key.privateKey } },
    history: await History.open(store),
    outbox: await Outbox.open(store),
    directory: { directory, trust: { head: undefined } },
    clock: { now: () => 0 },
    checks: allChecks,
  };
  const group = { policy: encodePolicy({ admins: [], history: policy }) };
  const step = { context, state, group, chains, aside, sent, sequence: 20 };
  return { step: step as unknown as MessageStep, store, sent, aside, key, directory };
}

async function answers(policy: HistoryWord, since: number, device = author.device, reading = 0) {
  const place = { reading, sequence: 7 };
  const { step, sent, store } = await side(author, policy, since);
  await store.commit(await sent.keep({ senderSequence: 1, id, place, content: said }));
  const missed = [{ device: fromHex(device), id: fromHex(id), sequence: 7n }];
  const ask = async () => {
    const answer = await answerAgain(step, asker, create(AskAgainSchema, { missed }));
    await store.commit(answer.changes);
    return answer.replies.map(({ content }) => fromBinary(ContentSchema, content).body);
  };
  return { first: await ask(), second: await ask() };
}

test("a device says its message again to those who may have it, once", async () => {
  const { first, second } = await answers("all", 15);
  expect(first).toMatchObject([{ case: "again", value: { id: fromHex(id), sequence: 7n } }]);
  expect(second).toEqual([]);
  expect((await answers("since-join", 7)).first).toHaveLength(1);
  expect((await answers("none", 3)).first).toHaveLength(1);
});

test("a device says nothing again to those who came later, nor what another device said", async () => {
  expect((await answers("since-join", 8)).first).toEqual([]);
  expect((await answers("none", 8)).first).toEqual([]);
  expect((await answers("all", 1, asker.device)).first).toEqual([]);
});

test("sequences of two readings of the log do not compare: who came in a later one hears nothing of before", async () => {
  const of = async (policy: HistoryWord, since: number, reading: number) =>
    (await answers(policy, since, author.device, reading)).first.length;
  expect(await of("since-join", 3, -1)).toBe(0);
  expect(await of("none", 3, -1)).toBe(0);
  expect(await of("all", 3, -1)).toBe(1);
  expect(await of("since-join", 8, 1)).toBe(1);
});

test("what a profile of before readings were told apart has kept is of an earlier one", async () => {
  const store = new MemoryStore();
  const sent = new SentContents(store, room);
  const value = utf8(JSON.stringify({ id, sequence: 7, content: toHex(said) }));
  await store.commit([{ table: "sent", key: `${room}/c/${"1".padStart(16, "0")}`, value }]);
  expect((await sent.numbered(1))?.place).toEqual({ reading: -1, sequence: 7 });
});

/** The asker's side with the record kept aside, and the answer that `author` would give. */
async function answered() {
  const here = await side(asker);
  const { step, aside, store } = here;
  const { run, changes } = aside.tell(step.context.history, 7);
  const kept = aside.keep({ sequence: 7, device: author.device, id, run }, undefined);
  await store.commit([...changes, ...kept.changes]);
  const there = await side(author);
  Object.assign(there.directory, { device: () => ({ keys: { seal: here.key.publicKey } }) });
  const place = { reading: 0, sequence: 7 };
  await there.store.commit(await there.sent.keep({ senderSequence: 1, id, place, content: said }));
  const missed = [{ device: fromHex(author.device), id: fromHex(id), sequence: 7n }];
  const { replies } = await answerAgain(there.step, asker, create(AskAgainSchema, { missed }));
  const [reply] = replies;
  const { body } = fromBinary(ContentSchema, reply?.content ?? new Uint8Array());
  if (body.case !== "again") throw new Error("there is no answer");
  return { step, again: body.value };
}

test("what the asked device says again is taken, byte for byte, at its place", async () => {
  const { step, again } = await answered();
  const came = await openAgain(step, author, again);
  expect(came).toMatchObject({ sequence: 7, id, kept: { device: author.device } });
  expect(toHex(came?.encoded ?? new Uint8Array())).toBe(toHex(said));
});

test("what another device says in its place, or elsewhere, or unasked, is not taken", async () => {
  const { step, again } = await answered();
  const other = { ...author, device: "c1".repeat(16) as DeviceId };
  expect(await openAgain(step, other, again)).toBeUndefined();
  const changed: Partial<Again>[] = [
    { sequence: 8n },
    { senderSequence: 2n },
    { id: fromHex("0e".repeat(16)) },
    { device: fromHex(other.device) },
    { sealed: again.sealed.slice(0, -1) },
  ];
  for (const change of changed)
    expect(await openAgain(step, author, { ...again, ...change })).toBeUndefined();
  const kept = step.aside.at(7);
  if (kept) await step.aside.settle(step.context.history, kept);
  expect(await openAgain(step, author, again)).toBeUndefined();
});
