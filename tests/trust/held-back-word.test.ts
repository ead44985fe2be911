import { create } from "@bufbuild/protobuf";
import {
  arrivalProof,
  type DirectoryUser,
  identityResetRecord,
  inviteKeys,
  parseInvite,
} from "@sotto/identity";
import { EventSchema } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { Impostor } from "./harness/impostor.ts";
import { letsIn } from "./harness/lets-in.ts";
import { notices } from "./harness/notices.ts";
import { ShownDirectory } from "./harness/shown-directory.ts";
import { letIn, textsSpied } from "./harness/spy.ts";
import { Wire } from "./harness/wire.ts";

/** The record with which the server takes bob's place, by a word of the owner's that it has come by. */
async function takeOver(impostor: Impostor, bob: DirectoryUser, text: string): Promise<Uint8Array> {
  const { reset, secret } = parseInvite(text);
  if (!reset) throw new Error("that is an invite of another kind");
  const { inviteKey } = await inviteKeys(secret);
  const { user, description, sign: signer } = impostor;
  const { id: device, sign, mls } = description;
  const proof = await arrivalProof(inviteKey, { user, device, sign, mls });
  return await identityResetRecord({
    place: { user, seq: bob.chain.length, prev: bob.chain.at(-1) ?? "", at: Date.now() },
    device: description,
    signer,
    invite: { key: inviteKey.publicKey, proof },
    allowed: reset,
  });
}

/**
 * Alice, the owner, once allowed bob to begin anew. The invite was not used: he found his phone, and did with it what
 * `since` says. The server kept the invite, and becomes bob by it when it likes.
 */
async function attack(checks: Partial<Checks>, since: "a new phrase" | "nothing") {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice", { transport: wire, checks });
  const bob = await world.person("bob");
  const told = notices(alice.client);
  const { room } = alice.client.rooms.find("general");
  await until("both are in", () => alice.client.rooms.members(room).length === 2);
  const { invite } = await alice.client.invite({ reset: "bob" });
  if (since === "a new phrase") await bob.client.devices.recovery.create();

  const directory = await hostile.directory();
  const known = directory.user(bob.client.profile.user);
  if (!known) throw new Error("bob is not in the directory");
  const impostor = await Impostor.of(known.id);
  const record = await takeOver(impostor, known, invite);
  const shown = await ShownDirectory.of(await hostile.keys(), await hostile.identityRecords());
  await shown.add(record);
  wire.tampering = letsIn(impostor, await impostor.keyPackage(record), shown, hostile);
  const grew = create(EventSchema, {
    body: { case: "directoryGrew", value: { size: BigInt(shown.size) } },
  });
  for (const line of wire.lines) line.event(grew);
  // Of the rooms that she named she lets him in again by herself.
  await until(
    "alice has acted on it",
    async () => told.length > 0 || letIn(impostor, await hostile.records(room)) !== undefined,
  );
  const sent = await alice.client.send(room, "bob, only you shall read this").then(
    () => undefined,
    (error: Error & { code: string }) => error,
  );
  const read = await textsSpied(impostor, await hostile.records(room));
  return { read, told, sent };
}

test("a word of the owner's that was held back is void by what its user has done since", async () => {
  const { read, told, sent } = await attack({}, "a new phrase");
  expect(read).toEqual([]);
  expect(told.join("\n")).toMatch(/record \d+ breaks the rules \(the owner has not allowed it\)/);
  expect(sent).toMatchObject({ code: "DIRECTORY_FORK" });
});

test("control: without the directory's rules the server becomes bob by it, and reads", async () => {
  const { read } = await attack({ directoryRules: false }, "a new phrase");
  expect(read).toEqual(["bob, only you shall read this"]);
});

test("control: while the account is as the owner's word found it, the word is good for who has it", async () => {
  const { read } = await attack({}, "nothing");
  expect(read).toEqual(["bob, only you shall read this"]);
});
