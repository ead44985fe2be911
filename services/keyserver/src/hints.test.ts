import { fromBinary } from "@bufbuild/protobuf";
import type { Bus } from "@sotto/bus";
import { createInProcessBus } from "@sotto/bus/in-process";
import {
  ConfirmRequestSchema,
  ConfirmResponseSchema,
  DirectoryHintSchema,
  GrantsHintSchema,
  RosterChangeSchema,
  subjects,
} from "@sotto/interservice";
import { EnvelopeKind, fromHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import { newDevice } from "../../../libs/identity/test/person.ts";
import { ownedWorld, type TestReplica, withMethods } from "../test/keyserver-world.ts";
import { leaf, ServedRoom } from "../test/test-room.ts";

const asked: { incarnation: Uint8Array; cursor: bigint; directorySize: bigint } = {
  incarnation: new Uint8Array(),
  cursor: 0n,
  directorySize: 0n,
};

function confirm(server: TestReplica, request = asked) {
  return server.call(
    subjects.keyserverConfirm,
    ConfirmRequestSchema,
    ConfirmResponseSchema,
    request,
  );
}

/** Waits for what the bus delivers in later turns. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise(setImmediate);
}

test("what happened is told on the bus: records, revocations, rosters and grants", async () => {
  const { world, server, alice } = await ownedWorld();
  const heard: unknown[] = [];
  const { bus } = server;
  await bus.subscribe(subjects.hintDirectory, ({ data }) => {
    const { size, revokedDevices } = fromBinary(DirectoryHintSchema, data);
    heard.push({ size, revokedDevices });
  });
  await bus.subscribe(subjects.hintRoster, ({ data }) => {
    const { room, users } = fromBinary(RosterChangeSchema, data);
    heard.push({ room, users });
  });
  await bus.subscribe(subjects.hintGrants, ({ data }) => {
    heard.push({ rooms: fromBinary(GrantsHintSchema, data).rooms });
  });
  const phone = await newDevice();
  for (const record of [await alice.add(phone), await alice.revoke(phone.id)])
    await server.ask(alice, { case: "submitRecord", value: { record } }, "recordStored");
  const room = await ServedRoom.begun(server, alice);
  await world.invite(server, alice, { rooms: [room.room] });
  const id = fromHex(room.room);
  await until(() => heard.length >= 4);
  expect(heard).toEqual([
    { size: 2n, revokedDevices: [] },
    { size: 3n, revokedDevices: [fromHex(phone.id)] },
    { room: id, users: [fromHex(alice.user)] },
    { rooms: [id] },
  ]);
});

test("a replica passes on what another one did, once, though the hints overtake each other", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const other = await world.start();
  const hints: Uint8Array[] = [];
  await server.bus.subscribe(subjects.hintRoster, ({ data }) => void hints.push(data));
  const { incarnation, cursor } = await confirm(other);
  const room = await ServedRoom.begun(server, alice);
  await room.commit(server, { kind: EnvelopeKind.ADD, by: alice, added: [leaf(bob)] });
  await until(() => hints.length === 2);
  for (const data of [...hints.toReversed(), ...hints])
    other.bus.publish(subjects.hintRoster, data);
  const request = { ...asked, incarnation, cursor };
  await until(async () => (await confirm(other, request)).changes.length >= 2);
  const { changes, reset } = await confirm(other, request);
  expect(reset).toBe(false);
  expect(changes.map(({ users }) => users)).toEqual([[fromHex(bob.user)], [fromHex(alice.user)]]);
});

test("after the bus was away, edges are told to load anew, for hints may be lost", async () => {
  const { world } = await ownedWorld();
  const real = createInProcessBus();
  let connected = true;
  const bus: Bus = new Proxy(real, {
    get(target, name) {
      if (name === "connected") return connected;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const server = await world.start({ bus });
  const first = await confirm(server);
  const request = { ...asked, incarnation: first.incarnation, cursor: first.cursor };
  await world.clock.advance(5000);
  expect((await confirm(server, request)).reset).toBe(false);
  connected = false;
  await world.clock.advance(1000);
  expect(server.service.ready()).toBe(false);
  connected = true;
  await world.clock.advance(1000);
  expect(server.service.ready()).toBe(true);
  expect((await confirm(server, request)).reset).toBe(true);
});

test("hints that cannot be read harm nothing", async () => {
  const { world, server, alice } = await ownedWorld();
  for (const subject of [subjects.hintRoster, subjects.hintDirectory, subjects.hintGrants])
    server.bus.publish(subject, new Uint8Array([255, 255, 255]));
  await world.join(server, alice, "bob");
  expect((await confirm(server)).directorySize).toBe(2n);
});

test("where the bus dropped hints, edges are told to load anew", async () => {
  const { world } = await ownedWorld();
  let dropped: ((count: number) => void) | undefined;
  const real = createInProcessBus();
  const bus = withMethods(real, {
    subscribe: (subject, handler, options) => {
      if (subject === subjects.hintRoster) dropped = options?.onDropped;
      return real.subscribe(subject, handler, options);
    },
  });
  const server = await world.start({ bus });
  const { incarnation, cursor } = await confirm(server);
  dropped?.(1);
  expect((await confirm(server, { ...asked, incarnation, cursor })).reset).toBe(true);
});
