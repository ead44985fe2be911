import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  checkpointOrigin,
  Directory,
  leafHash,
  openCheckpoint,
  sha256,
  verifyConsistency,
  verifyInclusion,
  verifyLogKey,
} from "@sotto/identity";
import { ErrorCode, toHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import {
  type KeyserverWorld,
  ownedWorld,
  refusedWith,
  withMethods,
} from "../../test/keyserver-world.ts";

const getCheckpoint = { case: "getCheckpoint" as const, value: {} };
const read = { case: "readDirectory" as const, value: { from: 0n, limit: 0 } };

/** The directory as anybody may compute it from the records. */
async function foldOf(world: KeyserverWorld): Promise<Directory> {
  const directory = new Directory();
  for (const { bytes } of await world.store.read(0, 1000)) await directory.apply(bytes);
  return directory;
}

/** What the server signed, as whoever pinned its keys reads it. */
async function opened(world: KeyserverWorld, note: Uint8Array | undefined) {
  const { identityKey, logKey } = await world.keys();
  const origin = checkpointOrigin(await sha256(identityKey.publicKey));
  return await openCheckpoint(note ?? new Uint8Array(), origin, logKey.publicKey);
}

test("every replica signs the same head, under a key that the server identity vouches for", async () => {
  const { world, server, alice } = await ownedWorld();
  const other = await world.start();
  await world.join(server, alice, "bob");
  const { identityKey } = await world.keys();
  const head = await (await foldOf(world)).head();
  for (const replica of [server, other]) {
    const signed = await replica.ask(alice, getCheckpoint, "signedCheckpoint");
    expect(signed.behind).toBe(false);
    expect(await verifyLogKey(signed.logKey, signed.logKeyProof, identityKey.publicKey)).toBe(true);
    expect(await opened(world, signed.note)).toMatchObject(head);
    const { checkpoint } = await replica.ask(alice, read, "directoryPage");
    expect(checkpoint).toEqual(signed);
  }
});

test("a checkpoint leaves only after its records are durable and it is remembered", async () => {
  const { world, alice } = await ownedWorld();
  const steps: string[] = [];
  const folder = join(world.identityFolder, "log.state");
  const signedSizes = async () => (await readdir(folder).catch(() => [])).map(Number);
  const server = await world.start({
    store: withMethods(world.store, {
      async settled() {
        steps.push(`settled before ${(await signedSizes()).join() || "anything"}`);
        await world.store.settled();
      },
    }),
  });
  await server.ask(alice, getCheckpoint, "signedCheckpoint");
  expect(steps).toEqual(["settled before anything"]);
  expect(await signedSizes()).toEqual([1]);
  await server.ask(alice, getCheckpoint, "signedCheckpoint");
  await world.join(server, alice, "bob");
  await Promise.all([1, 2, 3].map(() => server.ask(alice, getCheckpoint, "signedCheckpoint")));
  expect(steps).toEqual(["settled before anything", "settled before 1"]);
  expect(await signedSizes()).toEqual([2]);
});

test("a store that cannot say that its records are durable gets no checkpoint", async () => {
  const { world, alice } = await ownedWorld();
  const unsettled = () => Promise.reject(new Error("not synced"));
  const server = await world.start({ store: withMethods(world.store, { settled: unsettled }) });
  await expect(server.ask(alice, getCheckpoint, "signedCheckpoint")).rejects.toMatchObject(
    refusedWith(ErrorCode.INTERNAL),
  );
});

test("where a new head cannot be noted, the one before is given", async () => {
  const { world, alice } = await ownedWorld();
  let full = false;
  const store = withMethods(world.store, {
    settled: () => (full ? Promise.reject(new Error("no space")) : world.store.settled()),
  });
  const server = await world.start({ store });
  const before = await server.ask(alice, getCheckpoint, "signedCheckpoint");
  full = true;
  await world.join(server, alice, "bob");
  expect(await server.ask(alice, getCheckpoint, "signedCheckpoint")).toEqual(before);
  full = false;
  const { note } = await server.ask(alice, getCheckpoint, "signedCheckpoint");
  expect(await opened(world, note)).toMatchObject({ size: 2 });
});

test("proofs show that a record is in the directory, and that a larger one begins with a smaller one", async () => {
  const { world, server, alice } = await ownedWorld();
  for (const name of ["bob", "carol", "dave", "erin"]) await world.join(server, alice, name);
  const directory = await foldOf(world);
  const stored = await world.store.read(0, 10);
  for (let size = 1; size <= 5; size++)
    for (let index = 0; index < size; index++) {
      const value = { index: BigInt(index), size: BigInt(size) };
      const asked = { case: "getInclusionProof" as const, value };
      const { hashes: proof } = await server.ask(alice, asked, "merkleProof");
      const leaf = await leafHash(stored[index]?.bytes ?? new Uint8Array());
      const root = await directory.root(size);
      expect(await verifyInclusion({ leaf, index, size, root, proof })).toBe(true);
    }
  for (let second = 1; second <= 5; second++)
    for (let first = 0; first <= second; first++) {
      const value = { first: BigInt(first), second: BigInt(second) };
      const asked = { case: "getConsistencyProof" as const, value };
      const { hashes: proof } = await server.ask(alice, asked, "merkleProof");
      const [firstRoot, secondRoot] = [await directory.root(first), await directory.root(second)];
      const claim = { first, second, firstRoot, secondRoot, proof };
      expect(await verifyConsistency(claim)).toBe(true);
    }
});

test("proofs of what is not there are refused", async () => {
  const { server, alice } = await ownedWorld();
  const badRange = refusedWith(ErrorCode.BAD_RANGE);
  for (const value of [
    { index: 0n, size: 2n },
    { index: 1n, size: 1n },
    { index: 0n, size: 0n },
  ])
    await expect(
      server.ask(alice, { case: "getInclusionProof", value }, "merkleProof"),
    ).rejects.toMatchObject(badRange);
  for (const value of [
    { first: 0n, second: 2n },
    { first: 2n, second: 1n },
  ])
    await expect(
      server.ask(alice, { case: "getConsistencyProof", value }, "merkleProof"),
    ).rejects.toMatchObject(badRange);
});

test("strangers see no checkpoint", async () => {
  const { server } = await ownedWorld();
  await expect(server.ask(undefined, getCheckpoint, "signedCheckpoint")).rejects.toMatchObject(
    refusedWith(ErrorCode.NOT_AUTHENTICATED),
  );
});

test("a store that was altered is read as it is, and neither signed nor added to", async () => {
  const { world, alice } = await ownedWorld();
  let altered = new Map<number, Uint8Array>();
  const store = withMethods(world.store, {
    async read(from, limit) {
      const page = await world.store.read(from, limit);
      return page.map(({ index, bytes }) => ({ index, bytes: altered.get(index) ?? bytes }));
    },
  });
  const server = await world.start({ store });
  const invite = await world.invite(server, alice, { uses: 9 });
  const restore = {
    code: ErrorCode.READ_ONLY,
    message: expect.stringMatching(/altered.*restores/),
  };
  for (const name of ["bob", "carol"]) await world.arrive(server, name, invite);
  const before = await server.ask(alice, read, "directoryPage");
  const forged = Uint8Array.from(before.records[1] ?? [], (byte, at) => byte ^ (at === 9 ? 1 : 0));
  altered = new Map([[1, forged]]);
  const after = await server.ask(alice, read, "directoryPage");
  expect(toHex(after.records[1] ?? new Uint8Array())).toBe(toHex(forged));
  expect(after.checkpoint).toEqual(before.checkpoint);
  expect(await server.metric("directory_altered")).toBe(1);
  expect([before.altered, after.altered]).toEqual([false, true]);
  await expect(world.arrive(server, "dave", invite)).rejects.toMatchObject(restore);
  // One that starts with it shows the same, and whom the record does not concern goes on.
  const again = await world.start({ store });
  const shown = await again.ask(alice, read, "directoryPage");
  expect(shown.records.map(toHex)).toEqual(after.records.map(toHex));
  expect(shown.checkpoint).toBeUndefined();
  expect(await again.metric("directory_altered")).toBe(1);
  await expect(world.arrive(again, "erin", invite)).rejects.toMatchObject(restore);
  await expect(again.service.operator.ownerInvite()).rejects.toMatchObject({ code: "ALTERED" });
});

test("a store that was altered before anybody read it is shown without a signature", async () => {
  const { world, alice } = await ownedWorld();
  let altered = false;
  const store = withMethods(world.store, {
    async read(from, limit) {
      const page = await world.store.read(from, limit);
      return page.map(({ index, bytes }) => ({
        index,
        bytes: altered ? bytes.map((byte, at) => byte ^ (at === 9 ? 1 : 0)) : bytes,
      }));
    },
  });
  const server = await world.start({ store });
  altered = true;
  const page = await server.ask(alice, read, "directoryPage");
  expect(page.records).toHaveLength(1);
  expect(page.checkpoint).toBeUndefined();
  await expect(server.ask(alice, getCheckpoint, "signedCheckpoint")).rejects.toMatchObject(
    refusedWith(ErrorCode.INTERNAL),
  );
});

test("a store whose records are good and are others than were signed does not start", async () => {
  const { world, server, alice } = await ownedWorld();
  const older = await world.olderCopy(1);
  await world.join(server, alice, "bob");
  await server.ask(alice, getCheckpoint, "signedCheckpoint");
  const copy = await world.start({ store: older, identityFolder: `${world.identityFolder}-other` });
  await world.join(copy, alice, "carol");
  await copy.service[Symbol.asyncDispose]();
  await expect(world.start({ store: older })).rejects.toMatchObject({
    code: "CORRUPT",
    message: /altered or replaced/,
  });
});
