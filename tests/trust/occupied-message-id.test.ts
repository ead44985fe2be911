import { createHash } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import type { AppendRequest, Log } from "@sotto/log";
import { StoredMessageSchema } from "@sotto/protocol";
import { expect, test } from "vitest";
import { texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { type RequestBody, Wire } from "./harness/wire.ts";

/** A log whose keys for messages are made by `keyOf`. */
function keyed(log: Log, keyOf: (request: AppendRequest) => string): Log {
  return {
    append: (request) =>
      log.append(request.kind === "m" ? { ...request, key: keyOf(request) } : request),
    read: (request) => log.read(request),
    head: (topic) => log.head(topic),
    live: (topic, deliver) => log.live(topic, deliver),
    topics: () => log.topics(),
    remove: (topic) => log.remove(topic),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
}

/** Key of a server that forgets whose id it is: of room and id alone. */
function forgetful({ topic, data }: AppendRequest): string {
  const { id } = fromBinary(StoredMessageSchema, data);
  return createHash("sha256").update(topic).update(id).digest("hex");
}

/** Mallory, a member, hears which id alice's message will have and is faster. Answers what bob reads. */
async function attack(log?: (log: Log) => Log): Promise<string[]> {
  await using hostile = await HostileWorld.start(log ? { log } : {});
  const { world } = hostile;
  const [ofAlice, ofMallory] = [new Wire(), new Wire()];
  const alice = await world.person("alice", { transport: ofAlice });
  const mallory = await world.person("mallory", { transport: ofMallory });
  const bob = await world.person("bob");
  const { room } = bob.client.rooms.find("general");
  const before = (await hostile.records(room)).length;

  // Alice's message stands still for a moment; its id is known.
  let held: Extract<RequestBody, { case: "append" }> | undefined;
  ofAlice.tampering = {
    request: (body) => {
      if (body.case !== "append" || held) return undefined;
      held = body;
      return "lost";
    },
  };
  const sent = alice.client.send("general", "meet at noon");
  sent.catch(() => {});
  await until("alice's message is under way", () => held !== undefined);
  const id = held?.value.id ?? new Uint8Array();
  ofMallory.tampering = {
    request: (body) =>
      body.case === "append" ? { case: "append", value: { ...body.value, id } } : undefined,
  };
  mallory.client.send("general", "nothing").catch(() => {});
  await until("mallory's stands", async () => (await hostile.records(room)).length > before);
  // Alice's client hears nothing, comes back and sends the same message again.
  ofAlice.cut();
  await sent;
  await bob.client.send("general", "the end");
  await until("bob has read on", async () => (await texts(bob)).includes("the end"));
  return await texts(bob);
}

test("an id that another member took first takes nothing from a message: it is the device's own", async () => {
  expect(await attack()).toContain("meet at noon");
});

test("control: where ids are a room's and not a device's, the message is acknowledged and nobody reads it", async () => {
  expect(await attack((log) => keyed(log, forgetful))).not.toContain("meet at noon");
});
