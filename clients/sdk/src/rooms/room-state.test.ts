import type { Roster } from "@sotto/identity";
import { expect, test } from "vitest";
import { textOf, utf8 } from "../bytes.ts";
import { giveUp, newRoomState, parseRoomState, rewind, roomChange, sinceOf } from "./room-state.ts";

const room = "aa".repeat(16);

/** As the first version stored it. */
const first = {
  version: 1,
  room,
  phase: "active",
  incarnation: "01",
  cursor: 17,
  title: "general",
  senderSequence: 4,
  previousSha256: "ab".repeat(32),
  reserved: { epoch: 3, generation: 128 },
  skipped: [],
  pending: { sha256: "cd".repeat(32), staged: "0102", begins: false },
};

test("a room that was stored before rooms healed themselves is read on", () => {
  const state = parseRoomState(utf8(JSON.stringify(first)));
  expect(state).toMatchObject({
    cursor: 17,
    senderSequence: 4,
    withdrawn: [],
    given: [],
    owedTree: "",
    since: {},
    rejoins: [],
    policies: [],
    followed: undefined,
  });
  expect(state.renewed).toEqual({ at: 0, sent: 4 });
  expect(state.pending?.staged).toEqual(new Uint8Array([1, 2]));
});

test("what is stored comes back as it was", () => {
  const state = parseRoomState(utf8(JSON.stringify(first)));
  giveUp(state);
  state.rejoins = [1, 2];
  state.unremoved = ["bb".repeat(16)];
  const value = roomChange(state).value ?? new Uint8Array();
  expect(parseRoomState(value)).toEqual(state);
});

test("a commit that was given up is remembered, and only the last three", () => {
  const state = newRoomState(room as Parameters<typeof newRoomState>[0], 1);
  for (let i = 0; i < 5; i++) {
    state.pending = { sha256: String(i), staged: new Uint8Array(), begins: false };
    giveUp(state);
  }
  expect(state.pending).toBeUndefined();
  expect(state.given.map(({ sha256 }) => sha256)).toEqual(["2", "3", "4"]);
});

test("since when people are there is kept while they stay, and goes with them", () => {
  const device = (user: string, id: string, entered: number) =>
    [id, { user, device: id, entered }] as const;
  const roster = (...devices: ReturnType<typeof device>[]) =>
    ({ devices: new Map(devices) }) as unknown as Parameters<typeof sinceOf>[0];
  const at = (sequence: number, reading = 0) => ({ reading, sequence });
  const before = sinceOf(roster(device("u1", "d1", 5), device("u2", "d2", 7)), {}, 0);
  expect(before).toEqual({ u1: at(5), d1: at(5), u2: at(7), d2: at(7) });
  // The first came back by itself, and has another device; the second is gone.
  const after = sinceOf(roster(device("u1", "d1", 20), device("u1", "d3", 12)), before, 0);
  expect(after).toEqual({ u1: at(5), d1: at(5), d3: at(12) });
  // The log was set back: whoever comes now comes later, whatever the sequence is.
  const anew = sinceOf(roster(device("u1", "d1", 20), device("u3", "d4", 2)), after, 1);
  expect(anew).toEqual({ u1: at(5), d1: at(5), u3: at(2, 1), d4: at(2, 1) });
});

test("since when people are there in a profile of before readings were told apart is read on", () => {
  const value = utf8(JSON.stringify({ ...first, since: { u1: 5 } }));
  expect(parseRoomState(value).since).toEqual({ u1: { reading: 0, sequence: 5 } });
});

const roster = (foldedTo: number): Roster => ({
  room: room as Roster["room"],
  foldedTo,
  headHash: `${foldedTo}0`.repeat(16),
  epoch: 1,
  devices: new Map(),
  admins: [],
  former: [],
  direct: [],
  directorySize: 2,
});

test("a room goes back to before what was passed over, and forgets that it was", () => {
  const state = newRoomState(room as Roster["room"], 1);
  Object.assign(state, { roster: roster(16), followed: roster(12), cursor: 17, skipped: [12, 14] });
  const value = roomChange(state).value ?? new Uint8Array();
  const read = parseRoomState(value);
  expect(read).toEqual(state);
  rewind(read);
  expect(read).toMatchObject({ roster: roster(12), cursor: 12, skipped: [12] });
  expect(read.cursorSha256).toBe(roster(12).headHash);
  expect(read.followed).toBeUndefined();
});

test("a room that a former version came back into without knowing who is there is known by others", () => {
  const state = newRoomState(room as Roster["room"], 1);
  state.roster = roster(12);
  const json = JSON.parse(textOf(roomChange(state).value ?? new Uint8Array()));
  const stored = (gaps: boolean) => utf8(JSON.stringify({ ...json, rosterHasGaps: gaps }));
  expect(parseRoomState(stored(false)).roster).toEqual(roster(12));
  expect(parseRoomState(stored(true)).roster).toBeUndefined();
});
