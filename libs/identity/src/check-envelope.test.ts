import {
  type Envelope,
  EnvelopeKind,
  ErrorCode,
  errorName,
  fromHex,
  limits,
  parseRoomId,
  type UserId,
} from "@sotto/protocol";
import { describe, expect, test } from "vitest";
import { randomBytes } from "../test/person.ts";
import { type EnvelopeChange, leafOf, policyOf, TestRoom } from "../test/room.ts";
import { checkEnvelope, checkEnvelopeForm, removableBy } from "./check-envelope.ts";
import { directRoomId } from "./direct-room.ts";
import type { DirectoryDevice } from "./directory.ts";

const { CREATE, ADD, REMOVE, UPDATE, POLICY, REJOIN } = EnvelopeKind;
const alice = leafOf();
const bob = leafOf();
const carol = leafOf();
const tablet = leafOf(bob.user);
const eve = leafOf();

/** A room of Alice, who is its admin, of Bob and of Carol. */
function room(): TestRoom {
  const made = new TestRoom();
  made.fold({ kind: CREATE, by: alice });
  made.fold({ kind: ADD, by: alice, added: [bob, carol] });
  return made;
}

async function verdict(
  { roster }: TestRoom,
  envelope: Envelope,
  roomDevicesMax?: number,
): Promise<string> {
  const refusal = await checkEnvelope(roster, envelope, roomDevicesMax ? { roomDevicesMax } : {});
  return refusal ? errorName(refusal.code) : "accepted";
}

const sorted = (...users: readonly UserId[]) => users.toSorted();

describe("who may change a room", () => {
  const cases: readonly [string, EnvelopeChange, string][] = [
    ["a member adds somebody", { kind: ADD, by: bob, added: [eve] }, "accepted"],
    ["a stranger adds themselves", { kind: ADD, by: eve, added: [eve] }, "NOT_A_MEMBER"],
    ["a member adds who is in", { kind: ADD, by: bob, added: [carol] }, "BAD_ENVELOPE"],
    ["an admin removes a member", { kind: REMOVE, by: alice, removed: [bob] }, "accepted"],
    ["a member removes another", { kind: REMOVE, by: bob, removed: [carol] }, "FORBIDDEN"],
    ["a member removes the admin", { kind: REMOVE, by: bob, removed: [alice] }, "FORBIDDEN"],
    ["a device removes itself", { kind: REMOVE, by: bob, removed: [bob] }, "BAD_ENVELOPE"],
    [
      "somebody who is not in is removed",
      { kind: REMOVE, by: alice, removed: [eve] },
      "BAD_ENVELOPE",
    ],
    ["a member updates", { kind: UPDATE, by: carol }, "accepted"],
    ["a stranger updates", { kind: UPDATE, by: eve }, "NOT_A_MEMBER"],
    ["a stranger rejoins", { kind: REJOIN, by: eve }, "NOT_A_MEMBER"],
    ["a member rejoins", { kind: REJOIN, by: carol }, "accepted"],
    ["a further device of a member rejoins", { kind: REJOIN, by: tablet }, "accepted"],
    ["a further device of a member adds", { kind: ADD, by: tablet, added: [eve] }, "NOT_A_MEMBER"],
    [
      "an admin changes the policy",
      { kind: POLICY, by: alice, policy: policyOf(bob.user) },
      "accepted",
    ],
    [
      "a member changes the policy",
      { kind: POLICY, by: bob, policy: policyOf(bob.user) },
      "FORBIDDEN",
    ],
    [
      "an admin leaves no admin",
      { kind: POLICY, by: alice, policy: policyOf(eve.user) },
      "BAD_ENVELOPE",
    ],
    ["the room is made again", { kind: CREATE, by: alice }, "ROOM_EXISTS"],
  ];
  test.each(cases)("%s", async (_, change, expected) => {
    const target = room();
    const before = change.kind === CREATE ? undefined : target.roster;
    const envelope = target.envelope(change);
    if (!before) Object.assign(envelope, new TestRoom(target.room).envelope(change));
    expect(await verdict(target, envelope)).toBe(expected);
  });

  test("a device of one user under another's name is not in the room", async () => {
    const target = room();
    const envelope = target.envelope({ kind: UPDATE, by: { ...bob, user: alice.user } });
    expect(await verdict(target, envelope)).toBe("NOT_A_MEMBER");
  });

  test("a member removes a further device of their own", async () => {
    const target = room();
    target.fold({ kind: ADD, by: alice, added: [tablet] });
    const own = target.envelope({ kind: REMOVE, by: bob, removed: [tablet] });
    expect(await verdict(target, own)).toBe("accepted");
    const both = target.envelope({ kind: REMOVE, by: bob, removed: [tablet, carol] });
    expect(await verdict(target, both)).toBe("FORBIDDEN");
  });

  test("who was removed is out, and let in again only by somebody else", async () => {
    const target = room();
    target.fold({ kind: REMOVE, by: alice, removed: [bob] });
    for (const change of [
      { kind: UPDATE, by: bob },
      { kind: REJOIN, by: bob },
      { kind: ADD, by: bob, added: [bob] },
    ])
      expect(await verdict(target, target.envelope(change))).toBe("NOT_A_MEMBER");
    const again = target.envelope({ kind: ADD, by: carol, added: [bob] });
    expect(await verdict(target, again)).toBe("accepted");
  });
});

test("nobody goes by an older directory than a record before", async () => {
  const target = room();
  target.fold({ kind: UPDATE, by: carol, directorySize: 5 });
  const size = (directorySize: number) =>
    verdict(target, target.envelope({ kind: UPDATE, by: bob, directorySize }));
  expect(await size(5)).toBe("accepted");
  expect(await size(6)).toBe("accepted");
  expect(await size(4)).toBe("BAD_ENVELOPE");
});

describe("where an envelope stands", () => {
  const update: EnvelopeChange = { kind: UPDATE, by: alice };
  const cases: readonly [string, Partial<Envelope>, string][] = [
    ["after the head", {}, "accepted"],
    ["after an older record", { previousSequence: 3n }, "STALE"],
    ["after one that never was", { previousSequence: 99n }, "STALE"],
    ["after another record of that place", { previousSha256: randomBytes(32) }, "BAD_ENVELOPE"],
    ["in the epoch that is", { epoch: 1n }, "BAD_ENVELOPE"],
    ["two epochs on", { epoch: 3n }, "BAD_ENVELOPE"],
    ["in an epoch beyond every number", { epoch: 2n ** 64n - 1n }, "BAD_ENVELOPE"],
    ["in another room", { room: randomBytes(16) }, "BAD_ENVELOPE"],
    ["with another version", { version: 2 }, "UNSUPPORTED_VERSION"],
    ["of no kind", { kind: EnvelopeKind.UNSPECIFIED }, "BAD_ENVELOPE"],
    ["of a kind to come", { kind: 99 as EnvelopeKind }, "BAD_ENVELOPE"],
    ["saying that the room is direct", { direct: [fromHex(alice.user)] }, "BAD_ENVELOPE"],
    ["with a policy", { policy: policyOf(alice.user) }, "BAD_ENVELOPE"],
  ];
  test.each(cases)("%s", async (_, faults, expected) => {
    const target = room();
    expect(await verdict(target, target.envelope(update, faults))).toBe(expected);
  });

  test("by nobody", async () => {
    const target = room();
    const { committer: _, ...nobody } = target.envelope(update);
    expect(await verdict(target, nobody as Envelope)).toBe("BAD_ENVELOPE");
  });

  test("a stale one is told the record that won", async () => {
    const target = room();
    const late = target.envelope(update);
    target.fold({ kind: UPDATE, by: bob });
    expect(await checkEnvelope(target.roster, late)).toMatchObject({
      code: ErrorCode.STALE,
      handshake: 9,
    });
  });

  test("in a room that is not there", async () => {
    const nowhere = new TestRoom();
    const envelope = nowhere.envelope(update, { epoch: 1n });
    expect(await verdict(nowhere, envelope)).toBe("UNKNOWN_ROOM");
  });
});

describe("one kind of change each", () => {
  const cases: readonly [string, EnvelopeChange][] = [
    ["an ADD of nobody", { kind: ADD, by: alice }],
    ["an ADD that also removes", { kind: ADD, by: alice, added: [eve], removed: [bob] }],
    ["a REMOVE of nobody", { kind: REMOVE, by: alice }],
    ["a REMOVE that also adds", { kind: REMOVE, by: alice, added: [eve], removed: [bob] }],
    ["an UPDATE that adds", { kind: UPDATE, by: alice, added: [eve] }],
    ["an UPDATE that removes", { kind: UPDATE, by: alice, removed: [bob] }],
    ["a POLICY without one", { kind: POLICY, by: alice }],
    ["a POLICY that adds", { kind: POLICY, by: alice, policy: policyOf(alice.user), added: [eve] }],
    ["a REJOIN of another", { kind: REJOIN, by: bob, added: [eve] }],
    ["a REJOIN of two", { kind: REJOIN, by: bob, added: [bob, eve] }],
    ["a REJOIN that removes", { kind: REJOIN, by: bob, removed: [carol] }],
    ["a device added twice", { kind: ADD, by: alice, added: [eve, eve] }],
    ["a device removed twice", { kind: REMOVE, by: alice, removed: [bob, bob] }],
  ];
  test.each(cases)("%s is refused", async (_, change) => {
    const target = room();
    expect(await verdict(target, target.envelope(change))).toBe("BAD_ENVELOPE");
  });

  test.each([
    ["that is none", randomBytes(3)],
    ["with an admin that is none", Uint8Array.from([10, 1, 7])],
    ["with an admin twice", policyOf(alice.user, alice.user)],
  ])("a policy %s is refused", async (_, policy) => {
    const target = room();
    const change = { kind: POLICY, by: alice, policy };
    expect(await verdict(target, target.envelope(change))).toBe("BAD_ENVELOPE");
  });
});

/** Of a part: bytes inline, bytes of its hash, bytes that it states. */
type Sizes = [number, number, number];

describe("an envelope of a room of which nothing is known", () => {
  const verdictOf = (envelope: Envelope, id = parseRoomId(randomBytes(16))) =>
    errorName(checkEnvelopeForm(id, envelope)?.code ?? 0);
  const added: EnvelopeChange = { kind: ADD, by: eve, added: [bob] };

  test("is judged by what holds in any room", () => {
    const made = room();
    expect(checkEnvelopeForm(made.room, made.envelope(added))).toBeUndefined();
    expect(verdictOf(made.envelope(added))).toBe("BAD_ENVELOPE");
    for (const change of [{ added: [bob, bob] }, { added: [] }, { removed: [carol] }])
      expect(verdictOf(made.envelope({ ...added, ...change }), made.room)).toBe("BAD_ENVELOPE");
  });
});

describe("sizes", () => {
  test("one commit adds at most so many devices", async () => {
    const target = room();
    const many = Array.from({ length: limits.addedDevicesMax + 1 }, () => leafOf());
    const fits = target.envelope({ kind: ADD, by: alice, added: many.slice(1) });
    expect(await verdict(target, fits)).toBe("accepted");
    const over = target.envelope({ kind: ADD, by: alice, added: many });
    expect(await verdict(target, over)).toBe("BAD_ENVELOPE");
  });

  test("a room holds at most so many devices, however they come in", async () => {
    const target = room();
    const add = target.envelope({ kind: ADD, by: alice, added: [eve] });
    expect(await verdict(target, add, 4)).toBe("accepted");
    expect(await verdict(target, add, 3)).toBe("ROOM_FULL");
    const further = target.envelope({ kind: REJOIN, by: tablet });
    expect(await verdict(target, further, 3)).toBe("ROOM_FULL");
    const back = target.envelope({ kind: REJOIN, by: bob });
    expect(await verdict(target, back, 3)).toBe("accepted");
  });

  test("a part is small and inline, or named by its hash with a length that a reader can hold", async () => {
    const target = room();
    const part = (inline: number, sha256: number, bytes: number) => ({
      $typeName: "sotto.v1.Part" as const,
      inline: new Uint8Array(inline),
      sha256: new Uint8Array(sha256),
      bytes,
    });
    const max = limits.inlinePartBytesMax;
    for (const name of ["commit", "welcome", "groupInfo", "tree"] as const) {
      const judge = (sizes: Sizes) =>
        verdict(target, target.envelope({ kind: UPDATE, by: alice }, { [name]: part(...sizes) }));
      for (const good of [
        [0, 0, 0],
        [max, 0, max],
        [0, 32, max + 1],
      ] satisfies Sizes[])
        expect(await judge(good)).toBe("accepted");
      for (const bad of [
        [max + 1, 0, max + 1],
        [1, 32, 1],
        [0, 31, 1],
        [0, 32, 2 ** 32 - 1],
      ] satisfies Sizes[])
        expect(await judge(bad), `${name} ${bad}`).toBe("BAD_ENVELOPE");
    }
  });
});

describe("how a room begins", () => {
  const create: EnvelopeChange = { kind: CREATE, by: alice };
  const cases: readonly [string, Partial<Envelope>, string][] = [
    ["with nothing before it", {}, "accepted"],
    ["in epoch 1", { epoch: 1n }, "BAD_ENVELOPE"],
    ["after a record", { previousSequence: 1n }, "BAD_ENVELOPE"],
    ["after a hash", { previousSha256: randomBytes(32) }, "BAD_ENVELOPE"],
    ["with an admin who is somebody else", { policy: policyOf(bob.user) }, "BAD_ENVELOPE"],
    ["without a policy", { policy: new Uint8Array() }, "BAD_ENVELOPE"],
    ["with a further member", { added: [] }, "BAD_ENVELOPE"],
    ["under a direct conversation's id", { room: randomBytes(32) }, "BAD_ENVELOPE"],
  ];
  test.each(cases)("%s", async (_, faults, expected) => {
    const fresh = new TestRoom();
    expect(await verdict(fresh, fresh.envelope(create, faults))).toBe(expected);
  });
});

describe("a direct conversation", () => {
  const pair = sorted(alice.user, bob.user);
  const create: EnvelopeChange = {
    kind: CREATE,
    by: alice,
    direct: pair,
    policy: policyOf(...pair),
  };
  const fresh = async () => new TestRoom(await directRoomId(alice.user, bob.user));
  const begun = async () => {
    const dm = await fresh();
    dm.fold(create);
    return dm;
  };

  test("begins under the id of its two users, by one of them, both of them its admins", async () => {
    const dm = await fresh();
    const judge = (change: Partial<EnvelopeChange>) =>
      verdict(dm, dm.envelope({ ...create, ...change }));
    expect(await judge({})).toBe("accepted");
    expect(await judge({ by: bob })).toBe("accepted");
    expect(await judge({ by: eve })).toBe("BAD_ENVELOPE");
    expect(await judge({ direct: pair.toReversed() })).toBe("BAD_ENVELOPE");
    expect(await judge({ direct: sorted(alice.user, eve.user) })).toBe("BAD_ENVELOPE");
    expect(await judge({ direct: [alice.user, alice.user] })).toBe("BAD_ENVELOPE");
    expect(await judge({ direct: [alice.user] })).toBe("BAD_ENVELOPE");
    expect(await judge({ direct: [...pair, eve.user] })).toBe("BAD_ENVELOPE");
    expect(await judge({ policy: policyOf(alice.user) })).toBe("BAD_ENVELOPE");
    const elsewhere = new TestRoom(parseRoomId(randomBytes(32)));
    expect(await verdict(elsewhere, elsewhere.envelope(create))).toBe("BAD_ENVELOPE");
  });

  test("is joined by devices of the two and by nobody else", async () => {
    const dm = await begun();
    const add = (...added: (typeof bob)[]) =>
      verdict(dm, dm.envelope({ kind: ADD, by: alice, added }));
    expect(await add(bob, tablet)).toBe("accepted");
    expect(await add(eve)).toBe("FORBIDDEN");
    expect(await add(bob, eve)).toBe("FORBIDDEN");
  });

  test("keeps its policy", async () => {
    const dm = await begun();
    const change = { kind: POLICY, by: alice, policy: policyOf(alice.user) };
    expect(await verdict(dm, dm.envelope(change))).toBe("FORBIDDEN");
  });

  test("is told to exist to its two users only", async () => {
    const dm = await begun();
    const again = (by: typeof alice) => new TestRoom(dm.room).envelope({ ...create, by });
    expect(await verdict(dm, again(bob))).toBe("ROOM_EXISTS");
    expect(await verdict(dm, again(eve))).toBe("BAD_ENVELOPE");
    expect(await verdict(dm, dm.envelope({ kind: UPDATE, by: bob }))).toBe("NOT_A_MEMBER");
    for (const kind of [UPDATE, REJOIN])
      expect(await verdict(dm, dm.envelope({ kind, by: eve }))).toBe("UNKNOWN_ROOM");
  });
});

describe("a device that is revoked", () => {
  /** Carol's device was revoked by the record at index 7. */
  const directory = {
    deviceAsOf: (id: string, size: number) =>
      ({ revokedAt: id === carol.device && size > 7 ? 7 : undefined }) as DirectoryDevice,
  };

  test.each([
    ["is removed by any member", [carol], 8, undefined],
    ["is removed by none before the directory shows it", [carol], 7, ErrorCode.FORBIDDEN],
    ["takes nobody else with it", [carol, alice], 8, ErrorCode.FORBIDDEN],
  ] as const)("%s", async (_what, removed, directorySize, code) => {
    const made = room();
    const envelope = made.envelope({ kind: REMOVE, by: bob, removed, directorySize });
    const removable = removableBy(envelope, directory, new Set());
    const refusal = await checkEnvelope(made.roster, envelope, { removable });
    expect(refusal?.code).toBe(code);
  });
});

describe("a device that comes in by an external commit", () => {
  const phone = leafOf(carol.user);
  const revokedAt = (index: number) => ({
    deviceAsOf: (id: string, size: number) =>
      ({ revokedAt: id === carol.device && size > index ? index : undefined }) as DirectoryDevice,
  });

  test.each([
    ["is let in beside another device of its user", revokedAt(99), undefined],
    ["is not, where all that its user has there is revoked", revokedAt(7), ErrorCode.NOT_A_MEMBER],
  ] as const)("%s", async (_what, directory, code) => {
    const made = room();
    const envelope = made.envelope({ kind: REJOIN, by: phone, directorySize: 8 });
    const removable = removableBy(envelope, directory, new Set());
    const refusal = await checkEnvelope(made.roster, envelope, { removable });
    expect(refusal?.code).toBe(code);
  });
});
