import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInProcessBus } from "@sotto/bus/in-process";
import { createMetrics, silentLogger } from "@sotto/chassis";
import { ManualClock } from "@sotto/clock";
import { openSqliteDirectory } from "@sotto/directory/sqlite";
import { inviteKeys } from "@sotto/identity";
import { parseTopic } from "@sotto/log";
import { openSegmentLog } from "@sotto/log/segment";
import { EnvelopeKind, ErrorCode, fromHex } from "@sotto/protocol";
import { expect, onTestFinished, test } from "vitest";
import { iat, newDevice, randomBytes } from "../../../libs/identity/test/person.ts";
import {
  KeyserverWorld,
  keyserverWorld,
  ownedWorld,
  refusedWith,
  TestReplica,
  withMethods,
} from "../test/keyserver-world.ts";
import { leaf, ServedRoom } from "../test/test-room.ts";
import { startKeyserver } from "./start-keyserver.ts";

test("what was kept before a restart is found after it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sotto-keyserver-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const life = async <Result>(task: (world: KeyserverWorld) => Promise<Result>) => {
    const clock = new ManualClock(iat);
    await using log = await openSegmentLog({ folder: join(folder, "log"), clock });
    await using store = await openSqliteDirectory({ folder: join(folder, "directory") });
    return await task(new KeyserverWorld(log, store, join(folder, "identity")));
  };
  const before = await life(async (world) => {
    const server = await world.start();
    const alice = await world.owner(server);
    const bob = await world.join(server, alice, "bob");
    const room = await ServedRoom.begun(server, alice, bob);
    const invite = await world.invite(server, alice, { rooms: [room.room] });
    const value = { oneTime: [randomBytes(20)], lastResort: randomBytes(20) };
    await server.ask(bob, { case: "publishKeyPackages", value }, "keyPackageCount");
    await server.service[Symbol.asyncDispose]();
    return { alice, bob, room, invite, value };
  });
  await life(async (world) => {
    const { alice, bob, room, invite, value } = before;
    const server = await world.start();
    expect(await server.service.ownerInvite()).toBeUndefined();
    const roster = await room.rosterSeenBy(server, bob);
    expect(roster.devices).toHaveLength(2);
    const rooms = [fromHex(room.room)];
    const { grants } = await server.ask(
      alice,
      { case: "listGrants", value: { rooms } },
      "grantList",
    );
    expect(grants).toHaveLength(1);
    const carol = await world.arrive(server, "carol", invite);
    await room.commit(server, { kind: EnvelopeKind.ADD, by: bob, added: [leaf(carol)] });
    const claim = { users: [fromHex(bob.user)], devices: [] };
    const { packages } = await server.ask(
      carol,
      { case: "claimKeyPackages", value: claim },
      "keyPackageList",
    );
    expect(packages).toMatchObject([{ keyPackage: value.oneTime[0] }]);
    await server.service[Symbol.asyncDispose]();
  });
});

test("a log that also holds archives, which are no rooms, is taken as it is", async () => {
  const { world, server, alice } = await ownedWorld();
  const room = await ServedRoom.begun(server, alice);
  const archive = { topic: parseTopic("ab".repeat(32)), kind: "m" as const, expectHandshake: 0 };
  for (const key of ["01", "02"])
    await world.log.append({ ...archive, key, data: randomBytes(100) });
  const other = await world.start();
  expect(await room.rosterSeenBy(other, alice)).toMatchObject({ epoch: 0n });
  expect(await world.store.getRoster("ab".repeat(32))).toBeUndefined();
});

test("a directory that breaks its own rules is shown as it stands, unsigned, and takes no record", async () => {
  const { world, server, alice } = await ownedWorld();
  await world.join(server, alice, "bob");
  const damaged = randomBytes(10);
  await world.store.append({
    bytes: damaged,
    user: "00".repeat(16),
    chainSequence: 0,
    now: iat,
  });
  const again = await world.start();
  // Whom it does not concern goes on, and sees all of it.
  const page = await again.ask(
    alice,
    { case: "readDirectory", value: { from: 0n, limit: 0 } },
    "directoryPage",
  );
  expect(page.records[2]).toEqual(damaged);
  expect(page.size).toBe(3n);
  expect(page.checkpoint).toBeUndefined();
  const record = await alice.add(await newDevice());
  await expect(
    again.ask(alice, { case: "submitRecord", value: { record } }, "recordStored"),
  ).rejects.toMatchObject(refusedWith(ErrorCode.READ_ONLY));
});

test("stopping answers what is under way, and nothing after it", async () => {
  const { world, alice } = await ownedWorld();
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  let asked = false;
  const store = withMethods(world.store, {
    countKeyPackages: async (device) => {
      asked = true;
      await held;
      return await world.store.countKeyPackages(device);
    },
  });
  const server = await world.start({ store });
  const value = { oneTime: [randomBytes(10)], lastResort: new Uint8Array() };
  const underWay = server.ask(alice, { case: "publishKeyPackages", value }, "keyPackageCount");
  while (!asked) await new Promise(setImmediate);
  let stopped = false;
  const stopping = server.service[Symbol.asyncDispose]().then(() => {
    stopped = true;
  });
  expect(server.service.ready()).toBe(false);
  await new Promise(setImmediate);
  expect(stopped).toBe(false);
  release();
  expect(await underWay).toMatchObject({ oneTime: 1 });
  await stopping;
  await expect(
    server.ask(alice, { case: "listRooms", value: {} }, "roomList"),
  ).rejects.toMatchObject(refusedWith(ErrorCode.UNAVAILABLE));
});

test("requests, refusals and what was accepted are counted, without a name or a key", async () => {
  const world = await keyserverWorld();
  const metrics = createMetrics({ service: "keyserver" });
  const lines: unknown[] = [];
  const record = (...line: unknown[]) => void lines.push(line);
  const logger = { ...silentLogger, info: record, warn: record, error: record };
  const bus = createInProcessBus();
  const { log, store, clock } = world;
  const keys = await world.keys();
  await using service = await startKeyserver({
    bus,
    log,
    store,
    clock,
    logger,
    metrics,
    keys,
  });
  const replica = new TestReplica(bus, service, metrics);
  const alice = await world.owner(replica, "alice-in-wonderland");
  const bad = world.arrive(replica, "bob", await inviteKeys(randomBytes(32)));
  await expect(bad).rejects.toThrow();
  await ServedRoom.begun(replica, alice);
  const page = await metrics.render();
  expect(page).toMatch(/sotto_keyserver_commands_total\{[^}]*command="register"[^}]*\} 2/);
  expect(page).toMatch(/sotto_keyserver_refusals_total\{[^}]*code="INVITE_UNKNOWN"[^}]*\} 1/);
  expect(page).toMatch(/sotto_keyserver_records_total\{[^}]*\} 1/);
  expect(page).toMatch(/sotto_keyserver_commits_total\{[^}]*\} 1/);
  expect(page).toMatch(/sotto_keyserver_directory_records\{[^}]*\} 1/);
  expect(lines.length).toBeGreaterThan(0);
  const said = page + JSON.stringify(lines);
  for (const secret of ["wonderland", alice.user, alice.first.id])
    expect(said).not.toContain(secret);
});
