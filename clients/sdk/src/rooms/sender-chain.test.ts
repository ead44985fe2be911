import { expect, test } from "vitest";
import {
  chainBegun,
  fillChain,
  followChain,
  type Link,
  type SenderChain,
  showLate,
  withGap,
} from "./sender-chain.ts";

const hash = (sequence: number) => String(sequence).padStart(64, "0");
const link = (sequence: number, more: Partial<Link> = {}): Link => ({
  sequence,
  sha256: hash(sequence),
  previousSha256: sequence === 1 ? "" : hash(sequence - 1),
  withdrawn: [],
  ...more,
});
const at = (sequence: number): SenderChain => followChain(undefined, link(sequence)).chain;

test("the first message seen of a device is where its chain begins", () => {
  const { chain, missing } = followChain(undefined, link(17));
  expect(missing).toBeUndefined();
  expect(chain).toMatchObject({ sequence: 17, sha256: hash(17) });
});

test("the first messages of a device that was seen entering are missed like later ones", () => {
  expect(followChain(chainBegun, link(1)).missing).toBeUndefined();
  expect(followChain(chainBegun, link(3)).missing).toEqual({
    count: 2,
    missing: [1, 2],
    beyond: 0,
  });
  // Number 1 of a device that goes on from something else.
  const other = link(1, { previousSha256: hash(99) });
  expect(followChain(chainBegun, other).missing).toMatchObject({ count: 1 });
  expect(followChain(chainBegun, link(2, { withdrawn: [1] })).missing).toBeUndefined();
  // It came back by itself before it said anything.
  expect(followChain({ ...chainBegun, mayRestart: true }, link(1)).missing).toBeUndefined();
});

test("messages that follow one another say nothing", () => {
  let chain = at(1);
  for (let sequence = 2; sequence < 10; sequence++) {
    const followed = followChain(chain, link(sequence));
    expect(followed.missing).toBeUndefined();
    chain = followed.chain;
  }
});

test("a gap tells how many are missing, and which", () => {
  expect(followChain(at(3), link(6)).missing).toEqual({ count: 2, missing: [4, 5], beyond: 0 });
  const { missing } = followChain(at(3), link(1_000_000_000));
  expect(missing?.count).toBe(999_999_996);
  expect(missing?.missing).toHaveLength(64);
});

test("what the sender took back is not missing", () => {
  expect(followChain(at(3), link(6, { withdrawn: [4, 5] })).missing).toBeUndefined();
  expect(followChain(at(3), link(6, { withdrawn: [5, 5, 5, 99] })).missing?.missing).toEqual([4]);
});

test("records that could not be opened are told of elsewhere", () => {
  const chain = { ...at(3), unopened: 2 };
  expect(followChain(chain, link(6)).missing).toBeUndefined();
  expect(followChain(chain, link(7)).missing).toMatchObject({ count: 1 });
  expect(followChain(chain, link(7)).chain.unopened).toBe(0);
});

test("messages that were shown before those in front of them are not missing", () => {
  // 5 and 6 came first, and could not be opened then; 4 came before they could.
  const kept = { ...at(3), unopened: 2 };
  const ahead = showLate(showLate(followChain(kept, link(4)).chain, 5), 6);
  expect(followChain(ahead, link(7)).missing).toBeUndefined();
  expect(followChain(ahead, link(7)).chain.ahead).toBeUndefined();
  expect(followChain(ahead, link(8)).missing).toMatchObject({ count: 1, missing: [7] });
  // What came in order is counted once.
  const opened = showLate(kept, 4);
  expect(followChain(opened, link(6)).missing).toBeUndefined();
  expect(followChain(opened, link(7)).missing).toMatchObject({ count: 1 });
});

test("another message before than the one that was seen is told", () => {
  const other = link(4, { previousSha256: hash(99) });
  expect(followChain(at(3), other).missing).toMatchObject({ count: 1 });
});

test("a sender that falls back is told, unless it was let in anew", () => {
  expect(followChain(at(3), link(1)).missing).toMatchObject({ count: 1 });
  expect(followChain(at(3), link(3, { sha256: hash(77) })).missing).toMatchObject({ count: 1 });
  const { missing, chain } = followChain({ ...at(3), mayRestart: true }, link(1));
  expect(missing).toBeUndefined();
  expect(followChain(chain, link(2)).missing).toBeUndefined();
});

test("a gap closes when what was missing comes late, or was taken back", () => {
  const { chain, missing } = followChain(at(3), link(7));
  const place = { order: "12", noticed: 90, asked: false };
  const open = withGap(chain, { ...place, ...(missing ?? { count: 0, missing: [], beyond: 0 }) });
  const late = followChain(open, link(5));
  expect(late.chain.sequence).toBe(7);
  expect(late.changed).toMatchObject([{ order: "12", count: 2, missing: [4, 6] }]);
  const next = followChain(late.chain, link(8, { withdrawn: [4] }));
  expect(next.changed).toMatchObject([{ order: "12", count: 1 }]);
  const last = fillChain(next.chain, [6]);
  expect(last.changed).toMatchObject([{ order: "12", count: 0 }]);
  expect(last.chain.gaps).toEqual([]);
});
