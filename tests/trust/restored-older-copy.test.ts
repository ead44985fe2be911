import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { openSqliteDirectory } from "@sotto/directory/sqlite";
import { arrivalProof, createUserRecord, generateEd25519, signerFromSeed } from "@sotto/identity";
import { parseUserId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { textOf, utf8 } from "../../clients/sdk/src/bytes.ts";
import { type Joined, texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { Impostor } from "./harness/impostor.ts";
import { notices } from "./harness/notices.ts";

/**
 * The server's whole data folder is copied; carol arrives and people talk; then the copy takes the folder's place, as
 * after a disk was lost. `meanwhile`: what is done to the copy before the server starts on it. Where bob is
 * away his client is closed before that.
 */
async function restored({
  meanwhile = async () => {},
  bobIsAway = false,
}: {
  meanwhile?: (data: string) => Promise<void>;
  bobIsAway?: boolean;
} = {}) {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const alice = await world.person("alice");
  const bob = await world.person("bob");
  await alice.client.send("general", "before the copy");
  await until("bob read", async () => (await texts(bob)).includes("before the copy"));
  const { room } = bob.client.rooms.find("general");
  const told = { alice: notices(alice.client), bob: notices(bob.client) };
  const copy = join(world.folder, "copy");
  await world.stopServer();
  await cp(world.data, copy, { recursive: true });
  await world.startServer();
  const carol = await world.person("carol");
  await carol.client.send("general", "carol was here");
  await until("bob read carol", async () => (await texts(bob)).includes("carol was here"));
  await until("all know carol", () =>
    [alice, bob].every(({ client }) => client.people.all().length === 3),
  );
  if (bobIsAway) await bob.client[Symbol.asyncDispose]();
  await world.stopServer();
  await rm(world.data, { recursive: true });
  await cp(copy, world.data, { recursive: true });
  await meanwhile(world.data);
  await world.startServer();
  return { hostile, alice, bob: { ...bob, room }, carol, told };
}

const size = async (hostile: HostileWorld) => (await hostile.directory()).size;

async function says(speaker: Joined, text: string, ...readers: readonly Joined[]): Promise<void> {
  await speaker.client.send("general", text);
  for (const reader of readers)
    await until(
      `${reader.name} reads ${text}`,
      async () => (await texts(reader)).includes(text),
      30_000,
    );
}

test("a server that came back from an older copy is given what it lacks, and nobody is alarmed", async () => {
  const { hostile, alice, bob, carol, told } = await restored();
  await using _ = hostile;
  await until("it has carol's record again", async () => (await size(hostile)) === 3, 30_000);
  await says(alice, "after the restore", bob);
  await carol.client.online();
  await until("carol is let in again", () => carol.client.refusal === undefined);
  await says(bob, "and all goes on", alice);
  expect([...told.alice, ...told.bob].join("\n")).not.toMatch(/directory|trust/);
  for (const { client } of [alice, bob])
    expect(await client.directory.view()).toMatchObject({ state: "good" });
  const { invite } = await alice.client.invite();
  const dave = await hostile.world.arrive("dave", invite);
  await dave.client.online();
  expect(await size(hostile)).toBe(4);
});

/** Bob's client is closed, and the copy goes on without him past where he was. */
async function goneOn() {
  const { hostile, alice, bob } = await restored({ bobIsAway: true });
  const left = (await kept(bob, bob.room)).cursor;
  const missed: string[] = [];
  while ((await hostile.records(bob.room)).every(({ sequence }) => Number(sequence) <= left)) {
    missed.push(`while bob was away ${missed.length}`);
    await alice.client.send("general", missed.at(-1) ?? "");
  }
  return { hostile, alice, bob, missed };
}

async function kept({ store }: Joined, room: string) {
  return JSON.parse(textOf((await store.get("rooms", room)) ?? new Uint8Array()));
}

/** Bob comes back, and hears and says everything. */
async function bobIsBack({ hostile, alice, bob, missed }: Awaited<ReturnType<typeof goneOn>>) {
  const back = await hostile.world.open("bob", bob.store);
  await says(alice, "after the restore", back);
  await says(back, "and all goes on", alice);
  await until("bob has all", async () => {
    const all = await texts(back);
    return missed.every((text) => all.includes(text));
  });
}

test("a device that comes back only when the copy has gone on past where it was sees that it is another log", async () => {
  const gone = await goneOn();
  await using _ = gone.hostile;
  await bobIsBack(gone);
});

test("so it does where the room changed there after that: it follows no change that follows others", async () => {
  const gone = await goneOn();
  await using _ = gone.hostile;
  await gone.alice.client.rooms.renew(gone.bob.room);
  await bobIsBack(gone);
});

test("so it does where somebody new was let in and changed the room last", async () => {
  const gone = await goneOn();
  await using _ = gone.hostile;
  const dave = await gone.hostile.world.person("dave");
  await dave.client.rooms.renew(gone.bob.room);
  await bobIsBack(gone);
});

test("so does one that died when it had read all of that log, and not drawn the conclusion", async () => {
  const gone = await goneOn();
  await using _ = gone.hostile;
  const { hostile, bob } = gone;
  const cursor = Number((await hostile.records(bob.room)).at(-1)?.sequence);
  const state = { ...(await kept(bob, bob.room)), cursor, cursorSha256: "", readAnew: true };
  const value = utf8(JSON.stringify(state));
  await bob.store.commit([{ table: "rooms", key: bob.room, value }]);
  await bobIsBack(gone);
});

test("nobody comes back into the group of a copy that holds somebody who was removed since", async () => {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const [alice, bob, carol] = await world.people("alice", "bob", "carol");
  const members = () => bob.client.rooms.members("general").length;
  await until("bob knows carol", () => members() === 3);
  const told = notices(bob.client);
  const copy = join(world.folder, "copy");
  await world.stopServer();
  await cp(world.data, copy, { recursive: true });
  await world.startServer();
  await alice.client.rooms.remove("general", "carol");
  await until("bob knows that she is out", () => members() === 2);
  await Promise.all([alice, carol].map(({ client }) => client[Symbol.asyncDispose]()));
  await world.stopServer();
  await rm(world.data, { recursive: true });
  await cp(copy, world.data, { recursive: true });
  await world.startServer();
  const words = /holds somebody who is not in the room/;
  await until("bob is told", () => words.test(told.join()), 30_000);
  expect(bob.client.rooms.find("general").phase).toBe("lost");
});

test("control: the same copy, gone on by itself with another record in carol's place, is a fork", async () => {
  const { hostile, bob, told } = await restored({
    meanwhile: async (data) => {
      const impostor = await Impostor.of(parseUserId(crypto.getRandomValues(new Uint8Array(16))));
      const invite = await signerFromSeed((await generateEd25519()).seed);
      const { user, device, description } = impostor;
      const newcomer = { user, device, sign: description.sign, mls: description.mls };
      const bytes = await createUserRecord({
        user,
        name: "carol",
        at: Date.now(),
        device: description,
        invite: { key: invite.publicKey, proof: await arrivalProof(invite, newcomer) },
        signer: impostor.sign,
      });
      const stored = { bytes, user, chainSequence: 0, claimName: "carol", now: Date.now() };
      // Before anybody can hand it carol's record back: it signs what it finds.
      await using store = await openSqliteDirectory({ folder: join(data, "directory") });
      expect(await store.append(stored)).toMatchObject({ ok: true });
    },
  });
  await using _ = hostile;
  await until("bob has found out", () => told.bob.some((text) => /directory/.test(text)), 30_000);
  expect(told.bob.join("\n")).toMatch(/key directory cannot be trusted any more/);
  await expect(bob.client.send("general", "hello?")).rejects.toMatchObject({
    code: "DIRECTORY_FORK",
  });
});
