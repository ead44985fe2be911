import { fromBinary } from "@bufbuild/protobuf";
import { toHex } from "@sotto/protocol";
import { ContentSchema } from "@sotto/protocol/content";
import {
  ArchivedHistorySchema,
  ArchiveRecordSchema,
  SignedArchiveRecordSchema,
} from "@sotto/protocol/devices";
import { expect, test } from "vitest";
import { alone, Device, newKeys, type Person } from "../../test/archiving-devices.ts";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import { type ArchiveKeyId, openBatch } from "./archive-key.ts";
import { ArchiveState } from "./archive-state.ts";

type Keys = ReadonlyMap<ArchiveKeyId, Uint8Array>;

/** The keys of the archive that a device has. */
async function keysOf({ store }: Device): Promise<Keys> {
  const { keys } = await ArchiveState.open(store);
  return new Map([...keys].flatMap(([id, { key }]) => (key ? [[id, key] as const] : [])));
}

/** What of all that lies at the server can be read with these keys. */
async function readWith(keys: Keys, { user, port }: Person): Promise<string[]> {
  const texts: string[] = [];
  for (const { data } of port.records) {
    const { record } = fromBinary(SignedArchiveRecordSchema, data);
    const { body } = fromBinary(ArchiveRecordSchema, record);
    const key = body.case === "batch" && keys.get(toHex(body.value.keyId));
    const plaintext = key && (await openBatch(user, key, body.value));
    if (!plaintext) continue;
    for (const { message } of fromBinary(ArchivedHistorySchema, plaintext).entries) {
      const said = message && fromBinary(ContentSchema, message.content).body;
      if (said?.case === "text") texts.push(said.value.text);
    }
  }
  return texts;
}

/** A second device, which was given the archive's key after that was made, by a record of its own. */
async function withSecond() {
  const { person, first } = await alone();
  await first.hear("with the stolen one", 2);
  await first.archive.flush();
  const keys = await newKeys();
  await person.add(keys, first.keys);
  await first.archive.grantDevice(keys.id);
  const second = await Device.open(person, keys);
  await second.archive.catchUp();
  return { person, first, second };
}

/** The second device was stolen and is revoked since; the key was changed. `held`: what the thief has of the archive's keys. */
async function robbed() {
  const { person, first, second } = await withSecond();
  const held = await keysOf(second);
  // The test can fail: this is what those keys open.
  expect(await readWith(held, person)).toEqual(["with the stolen one"]);
  await person.revoke(second.keys.id, first.keys);
  await first.hear("without it", 3);
  await first.archive.flush();
  return { person, first, held };
}

test("a server that shows the log as replaced, and of it the first key only, gets nothing under that key", async () => {
  const { person, first, held } = await robbed();
  person.port.incarnation = "bb".repeat(8);
  person.port.records = person.port.records.slice(0, 1);
  await first.hear("a later secret", 4);
  await first.archive.flush();
  expect(await readWith(await keysOf(first), person)).toEqual([
    "with the stolen one",
    "without it",
    "a later secret",
  ]);
  expect(await readWith(held, person)).toEqual([]);
  // It stays so over a restart, and in the next log.
  const restarted = await Device.open(person, first.keys, first.store);
  person.port.incarnation = "cc".repeat(8);
  person.port.records = person.port.records.slice(0, 1);
  await restarted.hear("a later one", 5);
  await restarted.archive.flush();
  expect(await readWith(await keysOf(restarted), person)).toContain("a later one");
  expect(await readWith(held, person)).toEqual([]);
});

test("a device that comes after the revocation, and is shown nothing of the new key, writes under one of its own", async () => {
  const { person, first, held } = await robbed();
  const keys = await newKeys();
  await person.add(keys, first.keys);
  const before = person.port.records.length;
  await first.archive.grantDevice(keys.id);
  const grants = person.port.records.slice(before);
  person.port.records = [...person.port.records.slice(0, 1), ...grants];
  const second = await Device.open(person, keys);
  await second.archive.catchUp();
  await second.hear("said to the new device", 9);
  await second.archive.flush();
  expect(await readWith(await keysOf(second), person)).toEqual(["said to the new device"]);
  expect(await readWith(held, person)).toEqual([]);
});

test("who is revoked while a new key is made does not have the next one", async () => {
  const { person, first, second } = await withSecond();
  const other = await newKeys();
  await person.add(other, first.keys);
  await first.archive.grantDevice(other.id);
  await person.revoke(second.keys.id, first.keys);
  let revoking: Promise<void> | undefined;
  person.port.beforeAppend = () => {
    revoking ??= person.revoke(other.id, first.keys);
  };
  await first.hear("meanwhile", 3);
  await first.archive.flush();
  await revoking;
  person.port.beforeAppend = () => {};
  await first.hear("after both", 4);
  await first.archive.flush();
  const lost = await Device.open(person, other);
  await lost.archive.catchUp();
  expect(await readWith(await keysOf(lost), person)).not.toContain("after both");
  expect(await readWith(await keysOf(first), person)).toContain("after both");
});

/** As versions wrote it that did not keep by which directory a key was made. */
async function forgetSizes(store: ProfileStore): Promise<void> {
  for (const { key, value } of await store.scan("archive-keys", { limit: 100 })) {
    const { madeAtSize, ...rest } = JSON.parse(textOf(value));
    expect(madeAtSize).toBeGreaterThan(0);
    await store.commit([{ table: "archive-keys", key, value: utf8(JSON.stringify(rest)) }]);
  }
}

test("of a key of an older profile nobody knows when it was made: after any revocation there is another", async () => {
  const { person, first } = await robbed();
  // It has read its own record of the key: no other one comes that says so.
  await first.archive.catchUp();
  await forgetSizes(first.store);
  const before = await keysOf(first);
  const upgraded = await Device.open(person, first.keys, first.store);
  await upgraded.hear("under a new key", 4);
  await upgraded.hear("under the same", 5);
  await upgraded.archive.flush();
  await upgraded.hear("under it still", 6);
  await upgraded.archive.flush();
  expect((await keysOf(upgraded)).size).toBe(before.size + 1);
  expect(await readWith(before, person)).toEqual(["with the stolen one", "without it"]);
});
