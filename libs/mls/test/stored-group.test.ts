import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createMls } from "../src/index.ts";
import { nodeEngine } from "../src/node.ts";
import { people, suites } from "./people.ts";

const text = (value: string) => new TextEncoder().encode(value);
const none = new Uint8Array();

for (const suite of suites) {
  test(`${suite}: a message changes only the small value, and both together are the group`, async () => {
    const cast = await people(suite, ["alice", "bob"]);
    const [alice, bob] = await cast.room();
    const first = bob.group.toStore();
    first.stored();
    const epochState = first.epochState ?? none;
    const sealed = [];
    for (let i = 0; i < 20; i++) sealed.push((await alice.group.seal(text(`${i}`), none)).sealed);
    // Some are opened, and not in order: gaps are stored too.
    for (const at of [3, 0, 9]) await bob.group.open(sealed[at] ?? none);
    const { epochState: unchanged, ratchets } = bob.group.toStore();
    expect(unchanged).toBeUndefined();
    const restored = await bob.mls.restore(epochState, ratchets);
    for (const [at, message] of sealed.entries()) {
      const opening = restored.open(message);
      if ([3, 0, 9].includes(at)) await expect(opening).rejects.toMatchObject({ code: "REPLAYED" });
      else expect((await opening).plaintext).toEqual(text(`${at}`));
    }
    const answer = await restored.seal(text("answer"), none);
    expect((await alice.group.open(answer.sealed)).plaintext).toEqual(text("answer"));
  });

  test(`${suite}: a commit changes both, and so does a late message of the epoch before`, async () => {
    const cast = await people(suite, ["alice", "bob"]);
    const [alice, bob] = await cast.room();
    bob.group.toStore().stored();
    const late = await alice.group.seal(text("late"), none);
    const staged = await alice.group.stageUpdate();
    const expectation = {
      kind: "update",
      committer: alice.identity.device,
      added: [],
      removed: [],
    } as const;
    const before = bob.group.toStore();
    await bob.group.process(staged.commit, { expect: expectation, judge: cast.judge });
    const after = bob.group.toStore();
    expect(after.epochState).toBeDefined();
    // What was read before the commit says nothing of what came after.
    before.stored();
    expect(bob.group.toStore().epochState).toBeDefined();
    after.stored();
    expect(bob.group.toStore().epochState).toBeUndefined();
    expect((await bob.group.open(late.sealed)).plaintext).toEqual(text("late"));
    const { epochState, ratchets } = bob.group.toStore();
    const restored = await bob.mls.restore(epochState ?? none, ratchets);
    await expect(restored.open(late.sealed)).rejects.toMatchObject({ code: "REPLAYED" });
    // The ratchets of one epoch are none of another.
    await expect(bob.mls.restore(epochState ?? none, before.ratchets)).rejects.toMatchObject({
      code: "BROKEN_STATE",
    });
    await expect(bob.mls.restore(epochState ?? none)).rejects.toMatchObject({
      code: "BROKEN_STATE",
    });
    for (const length of [0, 1, ratchets.length - 1])
      await expect(
        bob.mls.restore(epochState ?? none, ratchets.slice(0, length)),
      ).rejects.toMatchObject({ code: "BROKEN_STATE" });
  });
}

test("a state that an earlier version stored as one value is read, and stored in two from then on", async () => {
  const stored = JSON.parse(
    readFileSync(new URL("../vectors/group-state-1.json", import.meta.url), "utf8"),
  ) as Record<"state" | "sealed" | "plaintext" | "sender", string>;
  const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
  const mls = createMls({ suite: "classical", now: () => 0, engine: nodeEngine });
  const group = await mls.restore(bytes(stored.state));
  expect(group.toStore().epochState).toBeDefined();
  const opened = await group.open(bytes(stored.sealed));
  expect(opened.plaintext).toEqual(text(stored.plaintext));
  expect(opened.sender.device).toBe(stored.sender);
});
