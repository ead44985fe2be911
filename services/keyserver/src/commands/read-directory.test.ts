import { ErrorCode, limits } from "@sotto/protocol";
import { expect, test } from "vitest";
import { ownedWorld, refusedWith, withMethods } from "../../test/keyserver-world.ts";

const read = (from: number, limit = 0) => ({
  case: "readDirectory" as const,
  value: { from: BigInt(from), limit },
});

test("pages hold the records' exact bytes, in their one order", async () => {
  const { world, server, alice } = await ownedWorld();
  for (const name of ["bob", "carol"]) await world.join(server, alice, name);
  const stored = (await world.store.read(0, 10)).map(({ bytes }) => bytes);
  const all = await server.ask(alice, read(0), "directoryPage");
  expect(all).toMatchObject({ from: 0n, size: 3n });
  expect(all.records).toEqual(stored);
  const middle = await server.ask(alice, read(1, 1), "directoryPage");
  expect(middle).toMatchObject({ from: 1n, size: 3n });
  expect(middle.records).toEqual([stored[1]]);
});

test("whoever asks beyond the end hears the true size", async () => {
  const { server, alice } = await ownedWorld();
  for (const from of [1, 7, Number.MAX_SAFE_INTEGER]) {
    const page = await server.ask(alice, read(from), "directoryPage");
    expect(page).toMatchObject({ records: [], size: 1n });
  }
});

test("a replica tells records that another one appended", async () => {
  const { world, server, alice } = await ownedWorld();
  const other = await world.start();
  await world.join(server, alice, "bob");
  const page = await other.ask(alice, read(0), "directoryPage");
  expect(page.records).toHaveLength(2);
  expect(page.size).toBe(2n);
});

test("a page has a bound, whatever is asked for", async () => {
  const { world, server, alice } = await ownedWorld();
  const asked: number[] = [];
  const { store } = world;
  const counting = await world.start({
    store: withMethods(store, {
      read: (from: number, limit: number) => {
        asked.push(limit);
        return store.read(from, limit);
      },
    }),
  });
  asked.length = 0;
  await counting.ask(alice, read(0, 2 ** 32 - 1), "directoryPage");
  // The fold reads as many at once as the store gives.
  expect(asked.filter((limit) => limit !== 1000)).toEqual([limits.directoryPageRecordsMax]);
  await server.ask(alice, read(0), "directoryPage");
});

test("who is not logged in is given the records of a note that this server signed, and no others", async () => {
  const { world, server, alice } = await ownedWorld();
  await world.join(server, alice, "bob");
  const known = await server.ask(alice, read(0), "directoryPage");
  await world.join(server, alice, "carol");
  const note = known.checkpoint?.note ?? new Uint8Array();
  const ask = (from: number, shown: Uint8Array, limit = 0) => {
    const value = { from: BigInt(from), limit, note: shown };
    return server.ask(undefined, { case: "readDirectory", value }, "directoryPage");
  };
  const all = await ask(0, note);
  expect(all).toMatchObject({ from: 0n, size: 2n, altered: false });
  expect(all.records).toEqual(known.records);
  expect(all.checkpoint).toBeUndefined();
  expect((await ask(1, note, 9)).records).toEqual(known.records.slice(1));
  for (const from of [2, 3, Number.MAX_SAFE_INTEGER])
    expect(await ask(from, note)).toMatchObject({ records: [], size: 2n });
  const forged = note.map((byte, at) => (at === note.length - 9 ? byte ^ 1 : byte));
  await expect(ask(0, forged)).rejects.toMatchObject(refusedWith(ErrorCode.BAD_SIGNATURE));
  await expect(ask(0, new Uint8Array())).rejects.toMatchObject(
    refusedWith(ErrorCode.NOT_AUTHENTICATED),
  );
});
