import { parseUserId } from "@sotto/protocol";
import { expect, test } from "vitest";
import type { Availability } from "./availability.ts";
import { presenceLimits } from "./presence-limits.ts";
import { PresenceTable } from "./presence-table.ts";

const alice = parseUserId("aa".repeat(16));
const bob = parseUserId("bb".repeat(16));
const carol = parseUserId("cc".repeat(16));

const table = (limits = {}) => new PresenceTable({ ...presenceLimits, ...limits });
const says = (user: typeof alice, state: Availability | undefined) => ({ user, state });

function lease(
  edge: string,
  incarnation: string,
  version: number,
  entries: readonly ReturnType<typeof says>[] = [],
  ended = false,
) {
  return { edge, incarnation, version, entries, ended };
}

function change(
  edge: string,
  incarnation: string,
  version: number,
  ...entry: Parameters<typeof says>
) {
  return { edge, incarnation, version, entry: says(...entry) };
}

test("a lease brings its users, and the same lease again changes nothing", () => {
  const presence = table();
  const first = presence.lease(lease("e1", "01", 3, [says(alice, "online")]), 0);
  expect(first).toEqual({ changes: [says(alice, "online")], verdict: "applied" });
  const again = presence.lease(lease("e1", "01", 3, [says(alice, "online")]), 2000);
  expect(again).toEqual({ changes: [], verdict: "applied" });
});

test("a newer lease replaces the whole: who is not in it is gone", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 1, [says(alice, "online"), says(bob, "idle")]), 0);
  const next = presence.lease(lease("e1", "01", 2, [says(bob, "online")]), 2000);
  expect(next.changes).toEqual([says(alice, undefined), says(bob, "online")]);
});

test("joined, idle and left are changes at once", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 0), 0);
  const states = (["online", "idle", undefined] as const).map(
    (state, index) => presence.change(change("e1", "01", index + 1, alice, state), 10).changes,
  );
  expect(states).toEqual([
    [says(alice, "online")],
    [says(alice, "idle")],
    [says(alice, undefined)],
  ]);
});

test.each<[Availability | undefined, Availability | undefined, Availability | undefined]>([
  ["online", "idle", "online"],
  ["idle", "online", "online"],
  ["idle", undefined, "idle"],
  ["idle", "idle", "idle"],
  [undefined, undefined, undefined],
])("%s at one edge and %s at another is %s", (one, other, best) => {
  const presence = table();
  presence.lease(lease("e1", "01", 1, [says(alice, one)]), 0);
  presence.lease(lease("e2", "02", 1, [says(alice, other)]), 0);
  expect(presence.stateOf(alice)).toBe(best);
});

test("leaving one of two edges is no change", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 1, [says(alice, "online")]), 0);
  presence.lease(lease("e2", "02", 1, [says(alice, "online")]), 0);
  expect(presence.change(change("e1", "01", 2, alice, undefined), 0).changes).toEqual([]);
  expect(presence.change(change("e2", "02", 2, alice, undefined), 0).changes).toHaveLength(1);
});

test("a change that comes late or twice is ignored", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 5, [says(alice, "online")]), 0);
  const late = presence.change(change("e1", "01", 5, alice, undefined), 0);
  expect(late).toEqual({ changes: [], verdict: "stale" });
  expect(presence.stateOf(alice)).toBe("online");
});

test("after a gap in versions the next lease heals, even one of the same version", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 1, [says(bob, "online")]), 0);
  const gap = presence.change(change("e1", "01", 3, alice, "online"), 0);
  expect(gap).toEqual({ changes: [says(alice, "online")], verdict: "gap" });
  const healed = presence.lease(lease("e1", "01", 3, [says(alice, "online")]), 2000);
  expect(healed).toEqual({ changes: [says(bob, undefined)], verdict: "applied" });
  expect(presence.change(change("e1", "01", 4, alice, "idle"), 2000).verdict).toBe("applied");
});

test("a lease that is older than a change does not undo it", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 1), 0);
  presence.change(change("e1", "01", 2, alice, "online"), 0);
  expect(presence.lease(lease("e1", "01", 1), 10).verdict).toBe("stale");
  expect(presence.stateOf(alice)).toBe("online");
});

test("a late 'left' of an older incarnation is ignored", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 7, [says(alice, "online")]), 0);
  presence.lease(lease("e1", "02", 1, [says(alice, "online")]), 100);
  const late = presence.change(change("e1", "01", 8, alice, undefined), 200);
  expect(late).toEqual({ changes: [], verdict: "stale" });
  expect(presence.lease(lease("e1", "01", 9), 300)).toEqual({ changes: [], verdict: "stale" });
  expect(presence.stateOf(alice)).toBe("online");
});

test("a change of an edge that is not known asks for its lease", () => {
  const change_ = table().change(change("e1", "01", 4, alice, "online"), 0);
  expect(change_).toEqual({ changes: [], verdict: "gap" });
});

test("an edge that restarts makes nobody flicker, and who does not come back is gone in time", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 1, [says(alice, "online"), says(bob, "online")]), 0);
  expect(presence.lease(lease("e1", "02", 0), 1000).changes).toEqual([]);
  expect(presence.change(change("e1", "02", 1, alice, "online"), 1500).changes).toEqual([]);
  presence.lease(lease("e1", "02", 1, [says(alice, "online")]), 3000);
  expect(presence.expire(6000).changes).toEqual([]);
  expect(presence.expire(6001).changes).toEqual([says(bob, undefined)]);
});

test("what the new incarnation says of a user holds at once against the old one", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 1, [says(alice, "online")]), 0);
  presence.lease(lease("e1", "02", 0), 100);
  presence.change(change("e1", "02", 1, alice, "online"), 200);
  expect(presence.change(change("e1", "02", 2, alice, undefined), 300).changes).toEqual([
    says(alice, undefined),
  ]);
});

test("an incarnation that was retired by a late lease comes back when only it goes on", () => {
  const presence = table();
  presence.lease(lease("e1", "02", 1, [says(alice, "online")]), 0);
  presence.lease(lease("e1", "01", 9, [says(bob, "online")]), 100);
  expect(presence.lease(lease("e1", "02", 1, [says(alice, "online")]), 2000).verdict).toBe("stale");
  expect(presence.lease(lease("e1", "02", 1, [says(alice, "online")]), 4000).verdict).toBe(
    "applied",
  );
  expect(presence.stateOf(alice)).toBe("online");
  presence.expire(6200);
  expect(presence.stateOf(bob)).toBeUndefined();
});

test("an edge that is silent for 6 s is dead, and believed again when it comes back", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 1, [says(alice, "online")]), 0);
  expect(presence.expire(6000)).toEqual({ changes: [], dead: [] });
  expect(presence.expire(6001)).toEqual({ changes: [says(alice, undefined)], dead: ["e1"] });
  expect(presence.lease(lease("e1", "01", 1, [says(alice, "online")]), 9000).changes).toHaveLength(
    1,
  );
});

test("an edge that says goodbye is forgotten at once, and late messages of it are ignored", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 1, [says(alice, "online")]), 0);
  expect(presence.lease(lease("e1", "01", 2, [], true), 10).changes).toEqual([
    says(alice, undefined),
  ]);
  expect(presence.lease(lease("e1", "01", 1, [says(alice, "online")]), 20).verdict).toBe("stale");
  expect(presence.change(change("e1", "01", 3, alice, "online"), 20).verdict).toBe("stale");
  expect(presence.edgeCount).toBe(0);
});

test("time during which this process stood still kills nobody", () => {
  const presence = table();
  presence.lease(lease("e1", "01", 1, [says(alice, "online")]), 0);
  presence.forgive(20_000);
  expect(presence.expire(25_000).changes).toEqual([]);
});

test("edges and users beyond the bounds are left out, and find room later", () => {
  const presence = table({ edgesMax: 1, usersMax: 2 });
  const full = presence.lease(
    lease("e1", "01", 1, [says(alice, "online"), says(bob, "online"), says(carol, "online")]),
    0,
  );
  expect(full.verdict).toBe("full");
  expect(presence.userCount).toBe(2);
  expect(presence.lease(lease("e2", "02", 1, [says(alice, "online")]), 0).verdict).toBe("full");
  expect(presence.edgeCount).toBe(1);
  const later = presence.lease(lease("e1", "01", 1, [says(carol, "online")]), 2000);
  expect(later.verdict).toBe("applied");
  expect(presence.stateOf(carol)).toBe("online");
});
