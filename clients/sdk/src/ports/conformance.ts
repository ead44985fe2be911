import { describe, expect, test } from "vitest";
import type { ProfileStore, ScanRange, StoreChange, StoreTable } from "./profile-store.ts";

/** How a suite makes stores. */
export interface StoreUnderTest {
  /** An empty store. */
  make(): Promise<ProfileStore>;
  /** Another store on what `store` kept, after that one was disposed; `undefined` where nothing lasts. */
  reopen?(store: ProfileStore): Promise<ProfileStore>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const put = (table: StoreTable, key: string, value = key): StoreChange => ({
  table,
  key,
  value: bytes(value),
});
const counter = (count: number) => String(count).padStart(16, "0");

/** The law of the store port. */
export function profileStoreConformance(name: string, under: StoreUnderTest): void {
  describe(`${name} is a profile store`, () => {
    const keysOf = async (store: ProfileStore, table: StoreTable, range: ScanRange) =>
      (await store.scan(table, range)).map(({ key }) => key);

    test("what was committed is read, replaced and deleted; tables do not mix", async () => {
      await using store = await under.make();
      await store.commit([put("meta", "a", "1"), put("rooms", "a", "2"), put("meta", "empty", "")]);
      expect(await store.get("meta", "a")).toEqual(bytes("1"));
      expect(await store.get("rooms", "a")).toEqual(bytes("2"));
      expect(await store.get("groups", "a")).toBeUndefined();
      expect(await store.get("meta", "empty")).toEqual(new Uint8Array());
      await store.commit([put("meta", "a", "3"), { table: "rooms", key: "a", value: undefined }]);
      expect(await store.get("meta", "a")).toEqual(bytes("3"));
      expect(await store.get("rooms", "a")).toBeUndefined();
      expect(await store.scan("rooms", { limit: 10 })).toEqual([]);
      await store.commit([{ table: "rooms", key: "a", value: undefined }]);
      await store.commit([]);
    });

    test("of changes of one key in one commit the last counts", async () => {
      await using store = await under.make();
      const gone = { table: "rooms", key: "b", value: undefined } as const;
      await store.commit([put("rooms", "a", "1"), put("rooms", "a", "2"), put("rooms", "b"), gone]);
      expect(await store.get("rooms", "a")).toEqual(bytes("2"));
      expect(await keysOf(store, "rooms", { limit: 10 })).toEqual(["a"]);
    });

    test("a commit that fails leaves nothing of itself, in ranges neither", async () => {
      await using store = await under.make();
      await store.commit([put("rooms", "a", "before")]);
      expect(await keysOf(store, "rooms", { limit: 10 })).toEqual(["a"]);
      // A change that no store can make.
      const impossible = { table: "rooms", key: "c", value: 7 } as unknown as StoreChange;
      await expect(
        store.commit([put("rooms", "a", "after"), put("rooms", "b"), impossible]),
      ).rejects.toThrow();
      expect(await store.get("rooms", "a")).toEqual(bytes("before"));
      expect(await keysOf(store, "rooms", { limit: 10 })).toEqual(["a"]);
      await store.commit([put("rooms", "b")]);
      expect(await keysOf(store, "rooms", { limit: 10 })).toEqual(["a", "b"]);
    });

    test("the caller's bytes stay the caller's, and the reader's the reader's", async () => {
      await using store = await under.make();
      const value = bytes("value");
      await store.commit([{ table: "groups", key: "a", value }]);
      value.fill(0);
      (await store.get("groups", "a"))?.fill(1);
      const [entry] = await store.scan("groups", { limit: 1 });
      expect(entry?.value).toEqual(bytes("value"));
      entry?.value.fill(2);
      expect(await store.get("groups", "a")).toEqual(bytes("value"));
    });

    const room = (key: number) => `room-${key % 10}`;
    describe.each<[string, StoreTable, (key: number) => string, string]>([
      ["of names", "media", (key) => `${room(key)}/${counter(key)}`, ""],
      ["of orders", "history", counter, ""],
      [
        "of orders with names, of which some share the numbers",
        "history",
        (key) =>
          key % 4 === 0
            ? counter(key)
            : `${counter(key >> 4)}.${counter(key >> 6)}.${room(key * 7)}.x`,
        "",
      ],
      ["of a group", "history-index", (key) => `room#${counter(key)}`, "room#"],
    ])("ranges %s", (_, table, keyOf, group) => {
      const keysOf = async (store: ProfileStore, from: StoreTable, range: ScanRange) =>
        (await store.scan(from, { prefix: group, ...range })).map(({ key }) => key);

      const keys = Array.from({ length: 120 }, (_, i) => keyOf(i * 7)).sort();
      const filled = async () => {
        const store = await under.make();
        const shuffled = keys.map((_, i) => keys[(i * 37) % keys.length] ?? "");
        await store.commit(shuffled.map((key) => put(table, key)));
        await store.commit([put("rooms", "other"), put("history-index", `other#${counter(9)}`)]);
        await store.commit([put("history-index", "room/device/id"), put("meta", keys[5] ?? "")]);
        return store;
      };

      test("come in ascending order, or descending, as many as wanted", async () => {
        await using store = await filled();
        expect(await keysOf(store, table, { limit: 1000 })).toEqual(keys);
        expect(await keysOf(store, table, { limit: 1000, reverse: true })).toEqual(
          keys.toReversed(),
        );
        expect(await keysOf(store, table, { limit: 5 })).toEqual(keys.slice(0, 5));
        expect(await keysOf(store, table, { limit: 1, reverse: true })).toEqual(keys.slice(-1));
        expect(await keysOf(store, table, { limit: 0 })).toEqual([]);
      });

      test("carry the values", async () => {
        await using store = await filled();
        for (const { key, value } of await store.scan(table, { prefix: group, limit: 1000 }))
          expect(value).toEqual(bytes(key));
      });

      test("go on after a key, whether it is there or not, page by page", async () => {
        await using store = await filled();
        for (const limit of [1, 7, 120]) {
          for (const reverse of [false, true]) {
            const seen: string[] = [];
            for (let after: string | undefined; ; after = seen.at(-1)) {
              const range = { limit, reverse, ...(after === undefined ? {} : { after }) };
              const page = await keysOf(store, table, range);
              seen.push(...page);
              if (page.length < limit) break;
            }
            expect(seen).toEqual(reverse ? keys.toReversed() : keys);
          }
        }
        const between = keyOf(7 * 50 + 1);
        const [lower, higher] = [
          keys.filter((key) => key < between),
          keys.filter((key) => key > between),
        ];
        expect(await keysOf(store, table, { after: between, limit: 1000 })).toEqual(higher);
        expect(await keysOf(store, table, { after: between, limit: 1000, reverse: true })).toEqual(
          lower.toReversed(),
        );
      });

      test("of a prefix hold nothing else, in both directions", async () => {
        await using store = await filled();
        const prefix = (keys[60] ?? "").slice(0, -2);
        const own = keys.filter((key) => key.startsWith(prefix));
        expect(own.length).toBeGreaterThan(0);
        expect(own.length).toBeLessThan(keys.length);
        expect(await keysOf(store, table, { prefix, limit: 1000 })).toEqual(own);
        const reverse = { prefix, limit: 1000, reverse: true };
        expect(await keysOf(store, table, reverse)).toEqual(own.toReversed());
        for (const after of [keys[0] ?? "", own[0] ?? "", keys.at(-1) ?? ""]) {
          expect(await keysOf(store, table, { prefix, after, limit: 1000 })).toEqual(
            own.filter((key) => key > after),
          );
          expect(await keysOf(store, table, { ...reverse, after })).toEqual(
            own.filter((key) => key < after).toReversed(),
          );
        }
        for (const prefix of own)
          expect(await keysOf(store, table, { prefix, limit: 9 })).toEqual([prefix]);
        expect(await keysOf(store, table, { prefix: `${group}99`, limit: 10 })).toEqual([]);
      });

      test("follow what is committed after they were read once", async () => {
        await using store = await filled();
        await keysOf(store, table, { limit: 1000 });
        const [first = ""] = keys;
        const added = keyOf(3);
        await store.commit([{ table, key: first, value: undefined }, put(table, added)]);
        const now = [...keys.slice(1), added].sort();
        expect(await keysOf(store, table, { limit: 1000 })).toEqual(now);
      });
    });

    test("keys and ranges that are none of their table are refused, and leave nothing", async () => {
      await using store = await under.make();
      const refused: [StoreTable, string][] = [
        ["history", "1"],
        ["history", "room"],
        ["history", `${counter(1)}.room`],
        ["history", `${counter(1)}.${counter(1)}`],
        ["directory", ""],
        ["rooms", ""],
        ["rooms", "\u00e4"],
        ["rooms", "x".repeat(1001)],
      ];
      for (const [table, key] of refused)
        await expect(store.commit([put("meta", "a"), put(table, key)]), key).rejects.toThrow(
          RangeError,
        );
      expect(await store.get("meta", "a")).toBeUndefined();
      for (const range of [{}, { prefix: "room" }, { prefix: "a#", after: `b#${counter(1)}` }])
        await expect(store.scan("history-index", { limit: 1, ...range })).rejects.toThrow(
          RangeError,
        );
      await expect(store.scan("history", { limit: 1, after: "x" })).rejects.toThrow(RangeError);
    });

    test("values of a megabyte come back whole", async () => {
      await using store = await under.make();
      const value = crypto.getRandomValues(new Uint8Array(65_536));
      const large = new Uint8Array(1_300_000).map((_, i) => value[i % value.length] ?? 0);
      await store.commit([{ table: "groups", key: "large", value: large }]);
      expect(await store.get("groups", "large")).toEqual(large);
    });

    const { reopen } = under;
    if (!reopen) return;

    test("what was committed is there for the next store", async () => {
      const store = await under.make();
      await store.commit([put("meta", "a"), put("history", counter(1)), put("media", "b")]);
      await store[Symbol.asyncDispose]();
      await using again = await reopen(store);
      expect(await again.get("meta", "a")).toEqual(bytes("a"));
      expect(await keysOf(again, "history", { limit: 10 })).toEqual([counter(1)]);
      expect(await keysOf(again, "media", { limit: 10 })).toEqual(["b"]);
      expect(await keysOf(again, "rooms", { limit: 10 })).toEqual([]);
    });
  });
}
