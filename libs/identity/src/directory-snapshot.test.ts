import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { hexOf, newDevice, newSigner, TestPerson } from "../test/person.ts";
import { Directory } from "./directory.ts";
import { RecordError } from "./record-error.ts";

async function lived() {
  const directory = new Directory();
  const [alice, bob] = [await TestPerson.named("alice"), await TestPerson.named("bob")];
  const [phone, paper, fresh] = [await newDevice(), await newDevice(), await newDevice()];
  const invite = await newSigner();
  for (const record of [
    await alice.create(),
    await bob.create(),
    await alice.add(phone),
    await alice.revoke(phone.id),
    await bob.recovery(paper),
    await bob.reset(fresh, invite, await alice.allows(bob.place(), invite)),
  ])
    await directory.apply(record);
  return { directory, alice, bob, phone, paper, fresh };
}

test("a restored directory knows what the first one knew, and goes on like it", async () => {
  const { directory, bob, phone, paper, fresh } = await lived();
  const restored = Directory.restore(directory.snapshot());
  expect(restored.users()).toEqual(directory.users());
  expect(restored.owner).toBe(directory.owner);
  const next = await bob.add(await newDevice(), fresh);
  for (const one of [directory, restored]) await one.apply(next);
  expect(await restored.head()).toEqual(await directory.head());
  const revoked = [phone.id, bob.first.id, paper.id].map((id) => directory.device(id));
  expect(restored.revokedSince(0)).toEqual(revoked);
  for (let size = 0; size <= 7; size++)
    expect(await restored.root(size)).toEqual(await directory.root(size));
  const hash = directory.user(bob.user)?.chain[1] ?? "";
  expect(restored.indexOf(hash)).toBe(4);
  expect(restored.user(bob.user)?.identityStart).toBe(directory.user(bob.user)?.chain[2]);
});

test("an empty directory is restored as one", async () => {
  const restored = Directory.restore(new Directory().snapshot());
  expect(await restored.head()).toEqual(await new Directory().head());
});

test("a damaged snapshot, or one of another version, is refused and never half read", async () => {
  const { directory } = await lived();
  const text = new TextDecoder().decode(directory.snapshot());
  const bad = [text.replace("[2,", "[3,"), text.slice(0, -1), "null", "{}", "[2]", "[2,[],[]"];
  for (const damaged of bad)
    expect(() => Directory.restore(new TextEncoder().encode(damaged))).toThrow(RecordError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(() => Directory.restore(bytes)).toThrow(RecordError);
    }),
  );
});

interface OldSnapshot {
  readonly snapshot: string;
  readonly head: { readonly size: number; readonly root: string };
  readonly next: string;
  readonly after: string;
}

test("a snapshot of version 1 is read, grows on, and has no root of before it", async () => {
  const path = new URL("../test/snapshot-v1.json", import.meta.url);
  const old = JSON.parse(readFileSync(path, "utf8")) as OldSnapshot;
  const directory = Directory.restore(new TextEncoder().encode(old.snapshot));
  const { size, root } = await directory.head();
  expect({ size, root: hexOf(root) }).toEqual(old.head);
  for (const user of directory.users()) {
    expect(user.identityStart).toBe(user.chain[0]);
    expect(user.arrivedAt).toBe(user.createdAt);
    expect(user.devices.every(({ kind }) => kind === "device")).toBe(true);
  }
  await directory.apply(new TextEncoder().encode(old.next));
  expect(hexOf(await directory.root())).toBe(old.after);
  await expect(directory.root(size - 2)).rejects.toThrow(RangeError);
});
