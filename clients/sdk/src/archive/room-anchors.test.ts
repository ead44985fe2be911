import { create } from "@bufbuild/protobuf";
import { rosterToMessage } from "@sotto/identity";
import { type DeviceId, parseRoomId, parseUserId } from "@sotto/protocol";
import { RoomAnchorSchema } from "@sotto/protocol/devices";
import { expect, test } from "vitest";
import { alone, newKeys } from "../../test/archiving-devices.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { newRoomState, type RoomState, roomChange } from "../rooms/room-state.ts";
import { readQueue } from "./archive-queue.ts";
import {
  type Anchored,
  anchorDue,
  anchorOf,
  archivedAnchor,
  queueAnchors,
  takeAnchor,
} from "./room-anchors.ts";

const room = parseRoomId("aa".repeat(16));

/** How a device knows the room: the hash of the last record is made of one letter. */
function knows(foldedTo: number, letter: string, resets = 0): RoomState {
  const roster = {
    ...{ room, foldedTo, headHash: letter.repeat(64), epoch: foldedTo, directorySize: 1 },
    ...{ devices: new Map(), admins: [parseUserId("0a".repeat(16))], former: [], direct: [] },
  };
  return { ...newRoomState(room, 1), phase: "active", roster, resets };
}

/** A laptop and a tablet of one person; what is looked at is the store of a device that reads the archive of both. */
async function devices() {
  const { person, first: laptop } = await alone();
  const tablet = await newKeys();
  await person.add(tablet, laptop.keys);
  const store = new MemoryStore();
  const of: Anchored = {
    ...{ store, directory: person.replica, profile: { user: person.user } },
    checks: { archive: true },
  };
  return {
    ...{ of, store, laptop: laptop.keys.id, tablet: tablet.id },
    unchecked: { ...of, checks: { archive: false } },
    archive: async (writer: DeviceId, state: RoomState) => {
      const { roster, resets } = state;
      const message = create(RoomAnchorSchema, {
        roster: roster && rosterToMessage(roster),
        resets,
      });
      await store.commit(await takeAnchor(store, room, message, writer));
    },
    /** From here on it is in the room itself. */
    follow: (state: RoomState) => store.commit([roomChange(state)]),
    revokeTablet: () => person.revoke(tablet.id, laptop.keys),
    head: async () => (await anchorOf(of, room))?.roster.headHash[0],
    queued: () => readQueue(store, 10),
  };
}

test("of the anchors of good devices the newest counts, of each the newest that it wrote", async () => {
  const { archive, laptop, tablet, head } = await devices();
  expect(await head()).toBeUndefined();
  await archive(laptop, knows(5, "a"));
  await archive(tablet, knows(7, "b"));
  expect(await head()).toBe("b");
  await archive(laptop, knows(2, "c", 1));
  expect(await head()).toBe("c");
  // Of its own an older one that comes again says nothing.
  await archive(laptop, knows(9, "d"));
  expect(await head()).toBe("c");
});

test("nothing that a revoked device said of a room counts, and another one's takes over", async () => {
  const { of, unchecked, archive, laptop, tablet, revokeTablet, head } = await devices();
  await archive(laptop, knows(5, "a"));
  await archive(tablet, knows(9, "e", 60_000));
  expect(await head()).toBe("e");
  await revokeTablet();
  expect(await head()).toBe("a");
  expect((await anchorOf(of, room))?.resets).toBe(0);
  // The test can fail: without the check the thief's counts.
  expect((await anchorOf(unchecked, room))?.roster.headHash[0]).toBe("e");
});

test("where only a revoked device said how it knows a room, it is as if nobody had", async () => {
  const { archive, tablet, revokeTablet, head } = await devices();
  await archive(tablet, knows(5, "a"));
  await revokeTablet();
  expect(await head()).toBeUndefined();
});

test("how often a log was replaced is not for one device to say", async () => {
  const { of, archive, laptop, tablet, head } = await devices();
  await archive(laptop, knows(5, "a", 2));
  await archive(tablet, knows(5, "b", 2 ** 31));
  expect(await head()).toBe("a");
  await archive(tablet, knows(5, "b", 65_535));
  expect(await anchorOf(of, room)).toMatchObject({
    resets: 3,
    roster: { headHash: "b".repeat(64) },
  });
  // Not even what an earlier version believed stops this device from saying what it knows.
  await of.store.commit([roomChange(knows(5, "a", 2 ** 33))]);
  const archived = await archivedAnchor(of.store, { room, foldedTo: 5 });
  expect(archived?.anchor?.resets).toBe(65_535);
});

test("a device leaves out what another one has said as it knows it, and says what it knows otherwise", async () => {
  const { store, archive, follow, laptop, tablet, queued } = await devices();
  const own = knows(5, "a");
  await follow(own);
  await store.commit(anchorDue(own));
  await archive(tablet, knows(5, "b"));
  await archive(tablet, knows(5, "a", 1));
  await archive(tablet, knows(9, "a", 1));
  expect(await queued()).toHaveLength(1);
  await archive(laptop, own);
  expect(await queued()).toEqual([]);
});

test("a device says how it knows a room where nobody good has: nothing, or something else", async () => {
  const { of, archive, follow, tablet, revokeTablet, queued } = await devices();
  const own = knows(5, "a");
  await follow(own);
  await archive(tablet, own);
  await queueAnchors(of, [own]);
  expect(await queued()).toEqual([]);
  await revokeTablet();
  await queueAnchors(of, [own]);
  expect(await queued()).toHaveLength(1);
});

test("so it does where the only one in the archive contradicts it", async () => {
  const { of, archive, follow, tablet, queued } = await devices();
  const own = knows(5, "a");
  await follow(own);
  await archive(tablet, knows(5, "b", 3));
  await queueAnchors(of, [own]);
  expect(await queued()).toHaveLength(1);
});
