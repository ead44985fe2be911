import { create } from "@bufbuild/protobuf";
import { decodeEnvelope } from "@sotto/identity";
import { HandshakeRecordSchema, parseDeviceId, RecordKind } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { keptGroup } from "./harness/kept-group.ts";
import { storeCommit, storeMessage } from "./harness/lax-keyserver.ts";
import { notices } from "./harness/notices.ts";
import { textsOpened } from "./harness/spy.ts";
import { Wire } from "./harness/wire.ts";

/**
 * Mallory was removed, and kept her group. Bob's device lost its own and comes back: the server hands it the state of
 * the room from before the removal, whose keys mallory has.
 */
async function attack(checks: Partial<Checks>) {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { checks });
  const mallory = await world.person("mallory");
  const { room } = bob.client.rooms.find("general");
  for (const { client } of [alice, bob, mallory])
    await until("all are in", () => client.rooms.members(room).length === 3);
  const old = (await hostile.records(room)).findLast(({ kind }) => kind === RecordKind.HANDSHAKE);
  if (!old) throw new Error("the room has not begun");
  await mallory[Symbol.asyncDispose]();
  const kept = await keptGroup(mallory.store, room);
  await alice.client.rooms.remove(room, "mallory");
  await until("bob knows", () => bob.client.rooms.members(room).length === 2);
  await bob[Symbol.asyncDispose]();
  await bob.store.commit([
    { table: "groups", key: room, value: undefined },
    { table: "ratchets", key: room, value: undefined },
  ]);
  wire.tampering = {
    request: (body) => {
      if (body.case === "getHandshake") {
        const value = create(HandshakeRecordSchema, { sequence: old.sequence, data: old.data });
        return { answer: { case: "handshakeRecord", value } };
      }
      if (body.case === "commit") return { answer: storeCommit(hostile, body) };
      if (body.case === "append")
        return { answer: storeMessage(hostile, body, bob.client.profile.device) };
      return undefined;
    },
  };
  const back = await world.open("bob", bob.store, { transport: wire, checks });
  return { hostile, wire, alice, back, room, kept, told: notices(back.client) };
}

test("a device does not come back by a state of its room that is older than what it has seen, and says so", async () => {
  const { hostile, wire, alice, back, room, told } = await attack({});
  await using _ = hostile;
  await until("bob is told", () => told.length > 0);
  expect(told.join("\n")).toMatch(
    /could not come back into the room: the server shows an older state of the room than this device has seen/,
  );
  // With the true state it does.
  wire.tampering = {};
  wire.cut();
  await until("bob is back", () => back.client.rooms.find(room).phase === "active");
  await back.client.send(room, "here again");
  await until("alice reads", async () => (await texts(alice)).includes("here again"));
});

test("control: without that check it comes back among those who were removed, and they read", async () => {
  const { hostile, back, room, kept } = await attack({ groupInfo: false, envelopeRules: false });
  await using _ = hostile;
  await until("bob is back", () => back.client.rooms.find(room).phase === "active");
  back.client.send(room, "mallory shall not read this").catch(() => {});
  const records = await (async () => {
    for (;;) {
      const all = await hostile.records(room);
      if (all.at(-1)?.kind === RecordKind.MESSAGE && all.length > 5) return all;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const rejoin = records.findLast(({ kind }) => kind === RecordKind.HANDSHAKE);
  const envelope = decodeEnvelope(rejoin?.data ?? new Uint8Array());
  expect(parseDeviceId(envelope.committer?.device ?? new Uint8Array())).toBe(
    back.client.profile.device,
  );
  await kept.process(envelope.commit?.inline ?? new Uint8Array(), {
    expect: "anything",
    judge: () => true,
  });
  expect(await textsOpened(kept, records)).toContain("mallory shall not read this");
});
