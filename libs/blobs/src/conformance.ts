import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BlobInfo, BlobStore, ByteRange } from "./blob-store.ts";

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

async function listed(source: AsyncIterable<BlobInfo>): Promise<BlobInfo[]> {
  const all: BlobInfo[] = [];
  for await (const info of source) all.push(info);
  return all.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The law of the `BlobStore` port. */
export function describeBlobStore(
  name: string,
  open: () => Promise<{ store: BlobStore } & AsyncDisposable>,
): void {
  describe(`blobs: ${name}`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    let store: BlobStore;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened[Symbol.asyncDispose]());
    const read = (key: string, range?: ByteRange) => collect(store.read(key, range));

    test("what was put is read, byte for byte, whole and in ranges", async () => {
      const data = randomBytes(3_000_000);
      await store.put("a/b/c", data);
      expect((await read("a/b/c")).equals(data)).toBe(true);
      for (const [start, end] of [
        [0, 1],
        [0, 0],
        [1_048_575, 1_048_577],
        [2_999_999, 3_000_000],
        [3_000_000, 3_000_000],
      ] as const) {
        expect(
          (await read("a/b/c", { start, end })).equals(data.subarray(start, end)),
          `${start}-${end}`,
        ).toBe(true);
      }
      expect(await store.stat("a/b/c")).toEqual({ key: "a/b/c", bytes: 3_000_000 });
    });

    test("chunks hold at most 1 MiB, and the reader owns them", async () => {
      const data = randomBytes(2_500_000);
      await store.put("k", data);
      for await (const chunk of store.read("k")) {
        expect(chunk.length).toBeLessThanOrEqual(1024 * 1024);
        chunk.fill(0);
      }
      expect((await read("k")).equals(data)).toBe(true);
    });

    test("a blob of nothing is a blob", async () => {
      await store.put("empty", new Uint8Array());
      expect(await store.stat("empty")).toEqual({ key: "empty", bytes: 0 });
      expect(await read("empty")).toHaveLength(0);
    });

    test("a key that holds bytes never holds others", async () => {
      const data = randomBytes(1000);
      await store.put("k", data);
      await store.put("k", data.subarray());
      await expect(store.put("k", randomBytes(1000))).rejects.toMatchObject({ code: "EXISTS" });
      await expect(store.put("k", data.subarray(1))).rejects.toMatchObject({ code: "EXISTS" });
      expect((await read("k")).equals(data)).toBe(true);
    });

    test("the caller may reuse its buffer once the put has resolved", async () => {
      const data = Buffer.alloc(100_000, 1);
      await store.put("k", data);
      data.fill(2);
      expect((await read("k")).every((byte) => byte === 1)).toBe(true);
    });

    test("a reader sees all of a blob or none of it, while it is being put", async () => {
      const data = randomBytes(4_000_000);
      const seen = new Set<number>();
      let done = false;
      const watching = (async () => {
        while (!done) {
          const found = await store.stat("k");
          if (found) seen.add((await read("k")).equals(data) ? found.bytes : -1);
          for (const info of await listed(store.list(""))) seen.add(info.bytes);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      await store.put("k", data);
      done = true;
      await watching;
      seen.delete(data.length);
      expect([...seen]).toEqual([]);
    });

    test("many puts at once are all kept", async () => {
      const blobs = Array.from({ length: 50 }, (_, i) => ({
        key: `many/${i % 5}/${i}`,
        data: randomBytes(10_000 + i),
      }));
      await Promise.all(blobs.map(({ key, data }) => store.put(key, data)));
      for (const { key, data } of blobs) expect((await read(key)).equals(data)).toBe(true);
      expect(await listed(store.list("many/"))).toHaveLength(50);
    });

    test("puts of one key at once end in one blob", async () => {
      const data = randomBytes(50_000);
      await Promise.all(Array.from({ length: 5 }, () => store.put("same/key", data)));
      expect((await read("same/key")).equals(data)).toBe(true);
      expect(await listed(store.list("same/"))).toEqual([{ key: "same/key", bytes: 50_000 }]);
    });

    test("a listing holds what begins with the prefix, and whole segments only", async () => {
      for (const key of ["a/1", "a/2/x", "ab/1", "b"]) await store.put(key, Buffer.from(key));
      expect((await listed(store.list("a/"))).map(({ key }) => key)).toEqual(["a/1", "a/2/x"]);
      expect(await listed(store.list(""))).toHaveLength(4);
      expect(await listed(store.list("none/"))).toEqual([]);
    });

    test("what was deleted is gone, and its key is free", async () => {
      for (const key of ["a/1", "a/2", "b/1"]) await store.put(key, Buffer.from(key));
      await store.delete("a/1");
      await store.delete("a/1");
      expect(await store.stat("a/1")).toBeUndefined();
      await expect(read("a/1")).rejects.toMatchObject({ code: "NOT_FOUND" });
      await store.deleteAll("a/");
      await store.deleteAll("a/");
      expect((await listed(store.list(""))).map(({ key }) => key)).toEqual(["b/1"]);
      await store.put("a/1", Buffer.from("new"));
      expect((await read("a/1")).toString()).toBe("new");
    });

    test("ranges that the blob does not have are refused", async () => {
      await store.put("k", Buffer.alloc(10));
      for (const range of [
        { start: -1, end: 5 },
        { start: 6, end: 5 },
        { start: 0, end: 11 },
        { start: 0.5, end: 5 },
      ]) {
        await expect(read("k", range)).rejects.toMatchObject({ code: "BAD_RANGE" });
      }
    });

    test("keys that could lead elsewhere are refused", async () => {
      const keys = [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        ".",
        "a/./b",
        "A",
        "a b",
        "a\\b",
        "ä",
        "x".repeat(513),
      ];
      for (const key of keys) {
        await expect(store.put(key, Buffer.alloc(1)), key).rejects.toMatchObject({
          code: "BAD_KEY",
        });
        await expect(store.stat(key), key).rejects.toMatchObject({ code: "BAD_KEY" });
      }
      await expect(store.deleteAll("a")).rejects.toMatchObject({ code: "BAD_KEY" });
    });
  });
}
