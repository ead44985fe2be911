import { ManualClock } from "@sotto/clock";
import { expect, test } from "vitest";
import { spawn, supervise } from "./index.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("messages are handled one at a time, in order", async () => {
  const seen: string[] = [];
  await using actor = spawn<number>({
    name: "a",
    mailboxMax: 10,
    onFull: "reject",
    async handle(message) {
      seen.push(`begin ${message}`);
      await turn();
      seen.push(`end ${message}`);
    },
  });
  for (const message of [1, 2, 3]) expect(actor.tell(message)).toBe(true);
  while (seen.length < 6) await turn();
  expect(seen).toEqual(["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]);
});

test("a message that an actor tells itself waits for its turn", () => {
  const seen: number[] = [];
  const actor = spawn<number>({
    name: "a",
    mailboxMax: 10,
    onFull: "reject",
    handle(message) {
      if (message < 3) actor.tell(message + 1);
      seen.push(message);
    },
  });
  actor.tell(1);
  expect(seen).toEqual([1, 2, 3]);
});

test("a full mailbox takes nothing more, or ends the actor, as it was told", async () => {
  const held = new Promise<void>(() => {});
  const patient = spawn<number>({ name: "a", mailboxMax: 1, onFull: "reject", handle: () => held });
  expect([1, 2, 3].map((message) => patient.tell(message))).toEqual([true, true, false]);
  expect(patient.running).toBe(true);
  const strict = spawn<number>({ name: "b", mailboxMax: 1, onFull: "stop", handle: () => held });
  expect([1, 2, 3, 4].map((message) => strict.tell(message))).toEqual([true, true, false, false]);
  expect(strict.running).toBe(false);
});

test.each([
  [
    "throws",
    () => {
      throw new Error("crash");
    },
  ],
  [
    "rejects",
    async () => {
      throw new Error("crash");
    },
  ],
])("a handler that %s ends its own actor once, and no other", async (_, handle) => {
  const ends: unknown[] = [];
  const seen: number[] = [];
  const broken = spawn<number>({
    name: "broken",
    mailboxMax: 5,
    onFull: "reject",
    handle,
    stopped: (error) => ends.push(error),
  });
  const other = spawn<number>({
    name: "other",
    mailboxMax: 5,
    onFull: "reject",
    handle: (message) => void seen.push(message),
  });
  for (const message of [1, 2, 3]) {
    broken.tell(message);
    other.tell(message);
  }
  await turn();
  expect(ends).toHaveLength(1);
  expect(ends[0]).toMatchObject({ message: "crash" });
  expect(broken.tell(4)).toBe(false);
  expect(seen).toEqual([1, 2, 3]);
});

test("stopping discards what waits and lets the message in hand end", async () => {
  const seen: number[] = [];
  const actor = spawn<number>({
    name: "a",
    mailboxMax: 5,
    onFull: "reject",
    async handle(message) {
      await turn();
      seen.push(message);
    },
  });
  actor.tell(1);
  actor.tell(2);
  await actor[Symbol.asyncDispose]();
  await turn();
  expect(seen).toEqual([1]);
});

test("a supervised actor begins anew after a crash, with a fresh state", () => {
  const clock = new ManualClock();
  const sums: number[] = [];
  const actor = supervise<number>({
    name: "sum",
    mailboxMax: 5,
    onFull: "reject",
    restartsMax: 3,
    windowMs: 1000,
    clock,
    begin() {
      let sum = 0;
      return (message) => {
        if (message < 0) throw new Error("crash");
        sum += message;
        sums.push(sum);
      };
    },
  });
  for (const message of [1, 2, -1, 5]) actor.tell(message);
  expect(sums).toEqual([1, 3, 5]);
});

test("a supervised actor gives up where crashes come too often, and not where they are rare", async () => {
  const clock = new ManualClock();
  const crashes: boolean[] = [];
  const crashing = () =>
    supervise<number>({
      name: "crashing",
      mailboxMax: 5,
      onFull: "reject",
      restartsMax: 2,
      windowMs: 1000,
      clock,
      begin: () => () => {
        throw new Error("crash");
      },
      crashed: (_, gaveUp) => crashes.push(gaveUp),
    });
  const often = crashing();
  for (let i = 0; i < 5; i++) often.tell(i);
  expect(crashes).toEqual([false, false, true]);
  expect(often.running).toBe(false);
  const rare = crashing();
  for (let i = 0; i < 5; i++) {
    rare.tell(i);
    await clock.advance(600);
  }
  expect(rare.running).toBe(true);
});
