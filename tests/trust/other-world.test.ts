import { arrivalProof, createUserRecord, generateEd25519, signerFromSeed } from "@sotto/identity";
import { parseUserId } from "@sotto/protocol";
import { type Checks, join } from "@sotto/sdk";
import { expect, test } from "vitest";
import { LastingStore } from "../scenarios/company.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { Impostor } from "./harness/impostor.ts";
import { letsIn } from "./harness/lets-in.ts";
import { ShownDirectory } from "./harness/shown-directory.ts";
import { textsSpied } from "./harness/spy.ts";
import { Wire } from "./harness/wire.ts";

/** Somebody whom the server makes up: a good record in every respect, with keys that it knows. */
async function madeUp(name: string): Promise<{ impostor: Impostor; record: Uint8Array }> {
  const impostor = await Impostor.of(parseUserId(crypto.getRandomValues(new Uint8Array(16))));
  const invite = await signerFromSeed((await generateEd25519()).seed);
  const { user, device, description } = impostor;
  const newcomer = { user, device, sign: description.sign, mls: description.mls };
  const record = await createUserRecord({
    user,
    name,
    at: Date.now(),
    device: description,
    invite: { key: invite.publicKey, proof: await arrivalProof(invite, newcomer) },
    signer: impostor.sign,
  });
  return { impostor, record };
}

/**
 * Alice invites bob to a server where carol is. To bob alone it shows another directory, from the first moment on: alice
 * is in it as she is, and in carol's place somebody whom the server made up. All of it is signed as it should be. Bob
 * makes a room with carol.
 */
async function attack(checks: Partial<Checks>) {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const [alice] = await world.people("alice", "carol");
  const { invite } = await alice.client.invite();
  const store = new LastingStore();
  await join({ invite, name: "bob", store, transport: world.transport, suite: world.suite });
  const { impostor, record } = await madeUp("carol");
  const [first, , last] = await hostile.identityRecords();
  const shown = await ShownDirectory.of(
    await hostile.keys(),
    [first, record, last].filter((bytes) => bytes !== undefined),
  );
  const wire = new Wire(letsIn(impostor, await impostor.keyPackage(record), shown, hostile));
  const bob = await world.open("bob", store, { transport: wire, checks });
  await bob.client.online();
  const talk = async () => {
    const { room } = await bob.client.rooms.create("between us", "none");
    await bob.client.rooms.add(room, "carol");
    await bob.client.send(room, "carol, only you shall read this");
    return room;
  };
  const result = await talk().catch((error: Error & { code: string }) => error);
  const read =
    typeof result === "string" ? await textsSpied(impostor, await hostile.records(result)) : [];
  return { read, result, refusal: bob.client.directory.refusal };
}

test("a newcomer who is shown another directory than whoever invited them is told, and sends nothing", async () => {
  const { read, result, refusal } = await attack({});
  expect(read).toEqual([]);
  expect(result).toMatchObject({ code: "DIRECTORY_FORK" });
  expect(refusal?.message).toContain("whoever invited you was shown another one: of 2 records");
});

test("control: without that check bob talks with somebody whom the server made up", async () => {
  const { read } = await attack({ owedHead: false });
  expect(read).toEqual(["carol, only you shall read this"]);
});
