import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { rosterFromMessage, rosterToMessage, signerFromSeed } from "@sotto/identity";
import { sealingKeyOf } from "@sotto/mls";
import { fromHex, RosterSchema } from "@sotto/protocol";
import { ArchivedHistorySchema } from "@sotto/protocol/devices";
import { type Checks, joinByLink, loadProfile } from "@sotto/sdk";
import { expect, test } from "vitest";
import { sealBatch } from "../../clients/sdk/src/archive/archive-key.ts";
import { signArchiveRecord } from "../../clients/sdk/src/archive/archive-record.ts";
import { ArchiveState } from "../../clients/sdk/src/archive/archive-state.ts";
import { textOf } from "../../clients/sdk/src/bytes.ts";
import { archiveTopic } from "../../services/tcp-edge/src/rooms/archives.ts";
import { LastingStore } from "../scenarios/company.ts";
import { type Joined, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { notices } from "./harness/notices.ts";
import { secondDevice } from "./harness/second-device.ts";

/** What the stolen tablet's keys can write: that its owner's devices know the room to have gone on otherwise, in a newer log. */
async function poison(hostile: HostileWorld, tablet: Joined): Promise<void> {
  const profile = await loadProfile(tablet.store);
  const { current } = await ArchiveState.open(tablet.store);
  const { room } = tablet.client.rooms.find("general");
  const { roster } = JSON.parse(
    textOf((await tablet.store.get("rooms", room)) ?? new Uint8Array()),
  );
  if (!profile || !current?.key) throw new Error("the tablet has no part in the archive");
  const { user, device, secrets } = profile;
  const known = rosterFromMessage(fromBinary(RosterSchema, fromHex(roster)));
  const anchor = { roster: rosterToMessage({ ...known, headHash: "ee".repeat(32) }), resets: 1 };
  const history = create(ArchivedHistorySchema, { entries: [{ room: fromHex(room), anchor }] });
  const plaintext = toBinary(ArchivedHistorySchema, history);
  const value = await sealBatch(user, current.id, current.key, plaintext);
  const directory = await hostile.directory();
  const identity = {
    ...{ user, device, directory: { directory, size: directory.size } },
    signKey: await signerFromSeed(secrets.sign),
    sealKey: await sealingKeyOf(secrets.seal),
  };
  const data = await signArchiveRecord(identity, { case: "batch", value });
  const record = { kind: "m", key: "ab".repeat(32), expectHandshake: 0, data } as const;
  await hostile.log.append({ topic: archiveTopic(user), ...record });
}

/** Bob's tablet is stolen and lies to his archive; it is revoked, and bob links a phone, at an honest server. */
async function linkAfterTheft(hostile: HostileWorld, checks: Partial<Checks>) {
  const { world } = hostile;
  const alice = await world.person("alice");
  const bob = await world.person("bob");
  const tablet = await secondDevice(world, bob, "tablet");
  await alice.client.send("general", "hello");
  await tablet.client.archive.flush();
  await bob.client.archive.flush();
  await tablet[Symbol.asyncDispose]();
  await poison(hostile, tablet);
  await bob.client.archive.catchUp();
  await bob.client.devices.revoke(tablet.client.profile.device);
  const store = new LastingStore();
  const link = await bob.client.devices.link();
  const done = link.complete(new AbortController().signal);
  await joinByLink({ code: link.code, deviceName: "phone", store, transport: world.transport });
  await done;
  const phone = await world.open("bob/phone", store, { checks });
  return { alice, phone, told: notices(phone.client) };
}

test("a device that is linked after a theft comes into its rooms, whatever the thief said of them", async () => {
  await using hostile = await HostileWorld.start();
  const { alice, phone, told } = await linkAfterTheft(hostile, {});
  await phone.client.rooms.waitFor("general", 30_000);
  await phone.client.send("general", "from the phone");
  const heard = async () => {
    for await (const entry of alice.client.history({ follow: false }))
      if (entry.type === "message" && entry.text === "from the phone") return true;
    return false;
  };
  await until("alice hears it", heard);
  expect(told).toEqual([]);
});

test("control: where anybody's word counts in the archive it stays outside, and accuses the server", async () => {
  await using hostile = await HostileWorld.start();
  const { phone, told } = await linkAfterTheft(hostile, { archive: false });
  await until("bob is told", () => told.length > 0, 30_000);
  expect(told.join("\n")).toMatch(/the server shows this room otherwise than your devices know it/);
  const [entry] = phone.client.rooms.list();
  expect(entry?.phase).not.toBe("active");
});
