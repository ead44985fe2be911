import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type PresenceLease,
  PresenceLeaseSchema,
  PresenceStateChangedSchema,
  subjects,
} from "@sotto/interservice";
import {
  CloseCode,
  EnvelopeKind,
  ErrorCode,
  fromHex,
  PresenceState,
  SignalKind,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { expect, it } from "vitest";
import { EdgeWorld } from "./edge-world.ts";

async function leasesOf(world: EdgeWorld): Promise<PresenceLease[]> {
  const leases: PresenceLease[] = [];
  await world.bus.subscribe(subjects.presenceLease, ({ data }) => {
    leases.push(fromBinary(PresenceLeaseSchema, data));
  });
  return leases;
}

function announce(world: EdgeWorld, user: UserId, state: PresenceState): void {
  const message = create(PresenceStateChangedSchema, { entry: { user: fromHex(user), state } });
  world.bus.publish(subjects.presenceState, toBinary(PresenceStateChangedSchema, message));
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it("an edge leases who is here, answers when asked, and says goodbye", async () => {
  await using world = await EdgeWorld.start({ edge: "e1", leasePeriodMs: 60_000 });
  const leases = await leasesOf(world);
  const alice = await world.keyserver.newDevice();
  const bot = await world.keyserver.newDevice();
  using client = await world.online(alice);
  using _quiet = await world.online(bot, true);
  const value = { state: PresenceState.IDLE };
  await client.request({ case: "setPresence", value });
  world.bus.publish(subjects.presenceAsk, new Uint8Array());
  await client.until(() => leases.length > 0);
  expect(leases[0]).toMatchObject({ edge: "e1", ended: false });
  expect(leases[0]?.entries.map(({ user, state }) => [toHex(user), state])).toEqual([
    [alice.user, PresenceState.IDLE],
  ]);
  await world.edge[Symbol.asyncDispose]();
  await pause(20);
  expect(leases.at(-1)).toMatchObject({ ended: true, entries: [] });
});

it("a state is told to those who share a room, and to no other and no quiet one", async () => {
  await using world = await EdgeWorld.start();
  const { keyserver } = world;
  const [alice, bob, carol, bot] = [
    await keyserver.newDevice(),
    await keyserver.newDevice(),
    await keyserver.newDevice(),
    await keyserver.newDevice(),
  ];
  await keyserver.newRoom(alice, bob, bot);
  using a = await world.online(alice);
  using c = await world.online(carol);
  using q = await world.online(bot, true);
  await a.until(() => a.events.some((event) => event.case === "presenceSnapshot"));
  announce(world, bob.user, PresenceState.ONLINE);
  await a.until(() => a.events.some((event) => event.case === "presenceChanged"));
  await pause(30);
  for (const client of [c, q]) {
    expect(client.events.some((event) => event.case === "presenceChanged")).toBe(false);
  }
});

it("who comes into a room gets a new snapshot", async () => {
  await using world = await EdgeWorld.start();
  const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
  const room = await world.keyserver.newRoom(alice);
  using b = await world.online(bob);
  await b.until(() => b.events.filter((event) => event.case === "presenceSnapshot").length === 1);
  await world.keyserver.commit(room, EnvelopeKind.ADD, alice, { added: [bob] });
  await b.until(() => b.events.filter((event) => event.case === "presenceSnapshot").length === 2);
});

it("a defect in one connection ends that one alone", async () => {
  await using world = await EdgeWorld.start();
  const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
  using a = await world.online(alice);
  using b = await world.online(bob);
  const publish = world.bus.publish.bind(world.bus);
  world.bus.publish = () => {
    throw new Error("a defect");
  };
  void a.request({ case: "setPresence", value: { state: PresenceState.IDLE } });
  await a.until(() => a.isGone);
  expect(a.closed?.code).toBe(CloseCode.INTERNAL);
  world.bus.publish = publish;
  expect((await b.request({ case: "listRooms", value: {} })).case).toBe("roomList");
  using again = await world.online(alice);
  expect(again.isGone).toBe(false);
});

it("a device tells its companions only so often that it types or is away", async () => {
  await using world = await EdgeWorld.start({
    limits: { signalBurst: 3, signalsPerSecond: 0.001 },
  });
  const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
  const room = fromHex(await world.keyserver.newRoom(alice, bob));
  using a = await world.online(alice);
  using other = await world.online(alice);
  using b = await world.online(bob);
  const signal = {
    case: "sendSignal" as const,
    value: { room, kind: SignalKind.TYPING },
  };
  const presence = { case: "setPresence" as const, value: { state: PresenceState.IDLE } };
  const asked = [await a.request(signal), await other.request(signal), await a.request(presence)];
  expect(asked.map((answer) => answer.case)).toEqual(["done", "done", "done"]);
  for (const refused of [await a.request(signal), await other.request(presence)])
    expect(refused).toMatchObject({ case: "error", value: { code: ErrorCode.RATE_LIMITED } });
  expect((await b.request(signal)).case).toBe("done");
});
