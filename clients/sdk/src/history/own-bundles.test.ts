import { ManualClock } from "@sotto/clock";
import { ErrorCode, fromHex, parseRoomId, SottoError, toHex } from "@sotto/protocol";
import type { MediaManifest } from "@sotto/protocol/content";
import { expect, test } from "vitest";
import type { RequestBody } from "../connection/connection.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import { allStand, OwnBundles } from "./own-bundles.ts";

const room = parseRoomId("aa".repeat(16));
const bundle = (digit: string) =>
  ({ object: fromHex(digit.repeat(32)) }) as unknown as MediaManifest;

/** A server that has these objects, and refuses what `refuses` says. */
function world(objects: readonly string[], refuses?: ErrorCode) {
  const there = new Set(objects.map((digit) => digit.repeat(32)));
  const request = async (body: RequestBody) => {
    if (body.case !== "deleteObject" && body.case !== "getObject") throw new Error("not asked for");
    if (refuses) throw new SottoError(refuses, "not now");
    const object = toHex(body.value.object ?? new Uint8Array());
    if (!there.has(object)) throw new SottoError(ErrorCode.UNKNOWN_OBJECT, "no such object");
    if (body.case === "deleteObject") there.delete(object);
    return {};
  };
  const clock = new ManualClock();
  const context = {
    ...{ store: new MemoryStore(), clock, signal: new AbortController().signal },
    online: async () => ({ request }),
  } as unknown as RoomContext;
  return { there, clock, context, bundles: new OwnBundles(context, room) };
}

test("a bundle that no share names any more is deleted, once nobody can be reading it", async () => {
  const { there, clock, bundles } = world(["1", "2"]);
  await bundles.add(bundle("1"));
  await clock.advance(60_000);
  await bundles.add(bundle("2"));
  expect(await bundles.clean([bundle("1"), bundle("2")])).toBeUndefined();
  expect(await bundles.clean([bundle("2")])).toBe(9 * 60_000);
  expect(there.size).toBe(2);
  await clock.advance(9 * 60_000);
  expect(await bundles.clean([bundle("2")])).toBeUndefined();
  expect([...there]).toEqual(["2".repeat(32)]);
  // One that was never told of, because this device stopped before.
  expect(await bundles.clean([])).toBe(60_000);
  await clock.advance(60_000);
  expect(await bundles.clean([])).toBeUndefined();
  expect(there.size).toBe(0);
});

test("what cannot be deleted now is deleted later, and what is gone is forgotten", async () => {
  const { clock, context, bundles } = world([], ErrorCode.UNAVAILABLE);
  await bundles.add(bundle("1"));
  await clock.advance(600_000);
  await expect(bundles.clean([])).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
  expect(await context.store.scan("history-shares", { limit: 9 })).toHaveLength(1);
  const gone = world([]);
  await gone.bundles.add(bundle("1"));
  await gone.clock.advance(600_000);
  expect(await gone.bundles.clean([])).toBeUndefined();
  expect(await gone.context.store.scan("history-shares", { limit: 9 })).toEqual([]);
});

test("bundles that their maker deleted are not told again", async () => {
  const { context } = world(["1", "2"]);
  expect(await allStand(context, room, [bundle("1"), bundle("2")])).toBe(true);
  expect(await allStand(context, room, [bundle("1"), bundle("3")])).toBe(false);
  const away = world(["1"], ErrorCode.UNAVAILABLE);
  await expect(allStand(away.context, room, [bundle("1")])).rejects.toThrow("not now");
});
