import fc from "fast-check";
import { expect, test } from "vitest";
import { newDevice, TestPerson } from "../test/person.ts";
import { Directory } from "./directory.ts";
import { RecordError } from "./record-error.ts";

async function lived() {
  const directory = new Directory();
  const [alice, bob] = [await TestPerson.named("alice"), await TestPerson.named("bob")];
  const phone = await newDevice();
  for (const record of [
    await alice.create(),
    await bob.create(),
    await alice.add(phone),
    await alice.revoke(phone.id),
  ])
    await directory.apply(record);
  return { directory, alice, bob, phone };
}

test("a restored directory knows what the first one knew, and goes on like it", async () => {
  const { directory, bob, phone } = await lived();
  const restored = Directory.restore(directory.snapshot());
  expect(restored.users()).toEqual(directory.users());
  expect(restored.owner).toBe(directory.owner);
  const next = await bob.add(await newDevice());
  for (const one of [directory, restored]) await one.apply(next);
  expect(await restored.head()).toEqual(await directory.head());
  expect(restored.revokedSince(0)).toEqual([directory.device(phone.id)]);
  const hash = directory.user(bob.user)?.chain[1] ?? "";
  expect(restored.indexOf(hash)).toBe(4);
});

test("an empty directory is restored as one", async () => {
  const restored = Directory.restore(new Directory().snapshot());
  expect(await restored.head()).toEqual(await new Directory().head());
});

test("a damaged snapshot, or one of another version, is refused and never half read", async () => {
  const { directory } = await lived();
  const text = new TextDecoder().decode(directory.snapshot());
  const bad = [text.replace("[1,", "[2,"), text.slice(0, -1), "null", "{}", "[1]", "[1,[],[]"];
  for (const damaged of bad)
    expect(() => Directory.restore(new TextEncoder().encode(damaged))).toThrow(RecordError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(() => Directory.restore(bytes)).toThrow(RecordError);
    }),
  );
});
