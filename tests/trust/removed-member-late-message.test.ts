import { setTimeout } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  ErrorCode,
  fromHex,
  parseMessageId,
  RecordKind,
  StoredMessageSchema,
} from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { notices } from "./harness/notices.ts";
import { type RequestBody, Wire } from "./harness/wire.ts";

/**
 * Carol seals a message; before it reaches the server alice removes her. `late` does with the sealed bytes what a
 * server can. Answers what bob reads and is told. Where carol does not hear, nobody tells her of changes before her
 * connection is cut.
 */
async function attack(
  late: (
    hostile: HostileWorld,
    append: Extract<RequestBody, { case: "append" }>["value"],
    carol: string,
  ) => Promise<void>,
  checks: Partial<Checks> = {},
  carolHears = true,
) {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { checks });
  const carol = await world.person("carol", { transport: wire });
  const told = notices(bob.client);
  const { room } = bob.client.rooms.find("general");
  const held = Promise.withResolvers<Extract<RequestBody, { case: "append" }>["value"]>();
  let holding = true;
  wire.tampering = {
    request: (body) => {
      if (body.case !== "append" || !holding) return undefined;
      held.resolve(body.value);
      return "lost";
    },
    // Back only when her message has begun to wait for it.
    response: (body) =>
      body.case === "roomList" && !carolHears ? setTimeout(1000, body) : undefined,
    record: ({ kind }) => (kind === RecordKind.HANDSHAKE && !carolHears ? [] : undefined),
  };
  const sent = carol.client.send("general", "I quit, and here is why");
  const outcome = sent.then(
    () => "sent",
    (error: Error & { code: unknown }) => error,
  );
  const append = await held.promise;
  await alice.client.rooms.remove("general", "carol");
  await until("bob knows", () => bob.client.rooms.members("general").length === 2);
  holding = false;
  await late(hostile, append, carol.client.profile.device);
  await alice.client.send("general", "the end");
  await until("bob has read on", async () => (await texts(bob)).includes("the end"));
  wire.cut();
  let answer: unknown;
  void outcome.then((value) => {
    answer = value;
  });
  await until("carol is told what became of it", () => answer !== undefined);
  return { read: await texts(bob), told, outcome: answer, room };
}

/** What the honest server does with it when it arrives: the client sends it again after a reconnect. */
const arrives = async () => {};

/** The server stores it in the room, as if the removal were of no account. */
async function stored(
  hostile: HostileWorld,
  { room, id, sealed }: { room: Uint8Array; id: Uint8Array; sealed: Uint8Array },
  carol: string,
): Promise<void> {
  const message = create(StoredMessageSchema, { device: fromHex(carol), id, sealed });
  parseMessageId(id);
  await hostile.write(
    Buffer.from(room).toString("hex"),
    "m",
    toBinary(StoredMessageSchema, message),
  );
}

test("a message that comes after its sender was removed is refused, and its sender is told", async () => {
  const { read, outcome } = await attack(arrives);
  expect(read).toEqual(["the end"]);
  expect(outcome).toMatchObject({
    code: expect.toBeOneOf(["NOT_IN_ROOM", ErrorCode.NOT_A_MEMBER]),
    message: expect.stringMatching(/removed from the room; nothing was sent|not in the room/),
  });
});

test("so is one whose sender hears of the removal only when it comes back", async () => {
  const { outcome } = await attack(arrives, {}, false);
  expect(outcome).toMatchObject({ code: "NOT_IN_ROOM" });
});

test("a server that stores it all the same is seen through: it was sealed before the removal", async () => {
  const { read, told } = await attack(stored);
  expect(read).toEqual(["the end"]);
  expect(told.join("\n")).toMatch(
    /sealed before the room's last change came after it; it is not shown/,
  );
});

test("control: without that check bob reads what carol says after she was removed", async () => {
  const { read } = await attack(stored, { epochPlace: false });
  expect(read).toEqual(["I quit, and here is why", "the end"]);
});
