import { directRoomId } from "@sotto/identity";
import {
  ErrorCode,
  RecordKind,
  type RoomId,
  SottoError,
  toErrorMessage,
  toHex,
} from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { type Joined, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { KeyPackagesSeen, MadeUpRoom } from "./harness/made-up-room.ts";
import type { Wire } from "./harness/wire.ts";

const secret = "alice, here is the password";

/** Carol, whose server works with the stranger mallory; alice is offline from then on. */
interface Victim {
  readonly carol: Joined;
  readonly wire: Wire;
  readonly alice: Joined;
  readonly general: RoomId;
}

/** What comes before the room is shown. Answers its id, and where carol writes. */
type Attack = (victim: Victim) => Promise<{ readonly room: RoomId; readonly target: string }>;

interface Scene extends Victim {
  readonly hostile: HostileWorld;
  readonly stranger: Joined;
  readonly seen: Record<"alice" | "carol", KeyPackagesSeen>;
}

/** Carol has arrived by alice's invite. Unless she is `letIn` before, nobody is there to let her into the room. */
async function begin(letIn: boolean, checks: Partial<Checks>): Promise<Scene> {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const seen = { alice: new KeyPackagesSeen(), carol: new KeyPackagesSeen() };
  const transport = seen.alice.wire();
  const alice = await world.person("alice", { transport });
  const { room: general } = alice.client.rooms.find("general");
  const stranger = await world.arrive("mallory", (await alice.client.invite({ rooms: [] })).invite);
  await stranger.client.online();
  await stranger[Symbol.asyncDispose]();
  const { invite } = await alice.client.invite({ rooms: ["general"] });
  if (!letIn) await alice[Symbol.asyncDispose]();
  const wire = seen.carol.wire();
  const carol = await world.arrive("carol", invite, { transport: wire, checks });
  await carol.client.online();
  await until("carol has published keys", () => seen.carol.all.length > 0);
  if (letIn) {
    await carol.client.rooms.waitFor("general", 10_000);
    await until("carol knows alice", () => carol.client.rooms.members(general).length === 2);
    await alice[Symbol.asyncDispose]();
  }
  return { hostile, stranger, seen, carol, wire, alice, general };
}

/** Carol comes into the room, or does not; she writes there as she can. */
async function speak({ carol }: Victim, room: RoomId, target: string): Promise<void> {
  const phase = () => carol.client.rooms.list().find((entry) => entry.room === room)?.phase;
  await until("carol has looked", () => phase() === "active" || phase() === "lost", 20_000);
  const said = carol.client.send(target, secret).catch(() => {});
  await Promise.race([said, new Promise((resolve) => setTimeout(resolve, 3000))]);
}

/** What mallory reads of what carol says in the room that mallory made up. */
async function overheard(prepare: Attack, checks: Partial<Checks>): Promise<readonly string[]> {
  const scene = await begin(true, checks);
  const { hostile, stranger, seen, alice, carol, wire } = scene;
  await using _ = hostile;
  const { room, target } = await prepare(scene);
  const made = await MadeUpRoom.by(stranger, hostile, room, [
    { profile: alice.client.profile, keyPackages: seen.alice },
    { profile: carol.client.profile, keyPackages: seen.carol },
  ]);
  made.show(wire, seen.carol.tampering());
  await speak(scene, room, target);
  return await made.overheard();
}

const direct: Attack = async ({ alice, carol }) => ({
  room: await directRoomId(alice.client.profile.user, carol.client.profile.user),
  target: "@alice",
});

const left: Attack = async ({ carol, wire, general }) => {
  const no = toErrorMessage(new SottoError(ErrorCode.NOT_A_MEMBER, "no"));
  wire.tampering = {
    request: (body) =>
      body.case === "subscribe" && toHex(body.value.room) === general
        ? { answer: { case: "error", value: no } }
        : undefined,
  };
  wire.cut();
  const isOut = () => carol.client.rooms.find(general).phase === "left";
  await until("carol believes that she is out", isOut, 15_000);
  await carol.client.online();
  return { room: general, target: general };
};

for (const [what, attack] of [
  ["under the id of a direct conversation", direct],
  ["under the id of one that the server says she had left", left],
] as const) {
  test(`nobody is let into a room that a stranger made up ${what}`, async () => {
    expect(await overheard(attack, {})).toEqual([]);
  });

  test(`control: without that check she is in a room that a stranger made up ${what}`, async () => {
    expect(await overheard(attack, { roomAnchor: false })).toEqual([secret]);
  });
}

/** The same where carol was invited into the room, and the stranger's record follows its last one. */
async function overheardByInvite(checks: Partial<Checks>): Promise<readonly string[]> {
  const scene = await begin(false, checks);
  const { hostile, stranger, seen, carol, wire, general } = scene;
  await using _ = hostile;
  const last = (await hostile.records(general)).findLast(
    ({ kind }) => kind === RecordKind.HANDSHAKE,
  );
  const invited = [{ profile: carol.client.profile, keyPackages: seen.carol }];
  const made = await MadeUpRoom.by(stranger, hostile, general, invited, last);
  made.show(wire, seen.carol.tampering());
  await speak(scene, general, general);
  return await made.overheard();
}

test("a newcomer is let into the room of the invite by nobody who is a stranger there", async () => {
  expect(await overheardByInvite({})).toEqual([]);
});

test("control: without that check she is in a room of the stranger's", async () => {
  expect(await overheardByInvite({ roomAnchor: false })).toEqual([secret]);
});

test("a member whom the inviter let in lets the newcomer in, with the room's changes since the invite between", async () => {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const alice = await world.person("alice");
  const { invite } = await alice.client.invite({ rooms: ["general"] });
  const bob = await world.person("bob");
  await bob.client.rooms.waitFor("general", 10_000);
  await bob.client.rooms.renew("general");
  await alice[Symbol.asyncDispose]();
  const carol = await world.arrive("carol", invite);
  await carol.client.online();
  const isIn = () => carol.client.rooms.named("general").some(({ phase }) => phase === "active");
  await until("carol is in", isIn, 20_000);
  expect((await carol.client.send("general", "hello")).sequence).toBeGreaterThan(0);
});
