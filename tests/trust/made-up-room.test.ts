import { directRoomId } from "@sotto/identity";
import { ErrorCode, type RoomId, SottoError, toErrorMessage, toHex } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { type Joined, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { KeyPackagesSeen, MadeUpRoom } from "./harness/made-up-room.ts";
import { Wire } from "./harness/wire.ts";

const secret = "alice, here is the password";

/** Carol, whose server works with the stranger mallory; alice is offline from then on. */
interface Victim {
  readonly carol: Joined;
  readonly wire: Wire;
  readonly alice: Joined;
  readonly general: RoomId;
}

interface Attack {
  /** Carol comes into `general` before the attack. */
  readonly letIn: boolean;
  /** What comes before the room is shown. Answers its id, and where carol writes. */
  prepare(victim: Victim): Promise<{ readonly room: RoomId; readonly target: string }>;
}

/** What mallory reads of what carol says in the room that mallory made up. */
async function overheard(
  { letIn, prepare }: Attack,
  checks: Partial<Checks>,
): Promise<readonly string[]> {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const seen = { alice: new KeyPackagesSeen(), carol: new KeyPackagesSeen() };
  const notes = (who: KeyPackagesSeen) => (body: Parameters<KeyPackagesSeen["note"]>[0]) => {
    who.note(body);
    return undefined;
  };
  const alice = await world.person("alice", {
    transport: new Wire({ request: notes(seen.alice) }),
  });
  const { room: general } = alice.client.rooms.find("general");
  const stranger = await world.arrive("mallory", (await alice.client.invite({ rooms: [] })).invite);
  await stranger.client.online();
  await stranger[Symbol.asyncDispose]();
  const { invite } = await alice.client.invite({ rooms: ["general"] });
  if (!letIn) await alice[Symbol.asyncDispose]();
  const wire = new Wire({ request: notes(seen.carol) });
  const carol = await world.arrive("carol", invite, { transport: wire, checks });
  await carol.client.online();
  await until("carol has published keys", () => seen.carol.all.length > 0);
  if (letIn) {
    await carol.client.rooms.waitFor("general", 10_000);
    await until("carol knows alice", () => carol.client.rooms.members(general).length === 2);
    await alice[Symbol.asyncDispose]();
  }
  const { room, target } = await prepare({ carol, wire, alice, general });
  const made = await MadeUpRoom.by(stranger, hostile, room, [
    { profile: alice.client.profile, keyPackages: seen.alice },
    { profile: carol.client.profile, keyPackages: seen.carol },
  ]);
  made.show(wire, { request: notes(seen.carol) });
  const phase = () => carol.client.rooms.list().find((entry) => entry.room === room)?.phase;
  await until("carol has looked", () => phase() === "active" || phase() === "lost", 20_000);
  const said = carol.client.send(target, secret).catch(() => {});
  await Promise.race([said, new Promise((resolve) => setTimeout(resolve, 3000))]);
  return await made.overheard();
}

const direct: Attack = {
  letIn: true,
  prepare: async ({ alice, carol }) => ({
    room: await directRoomId(alice.client.profile.user, carol.client.profile.user),
    target: "@alice",
  }),
};

const left: Attack = {
  letIn: true,
  prepare: async ({ carol, wire, general }) => {
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
  },
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
