import { create, toBinary } from "@bufbuild/protobuf";
import { decodeEnvelope, sha256 } from "@sotto/identity";
import {
  EnvelopeKind,
  EnvelopeSchema,
  fromHex,
  RecordKind,
  SignedEnvelopeSchema,
} from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { notices } from "./harness/notices.ts";

/** Who the record says has made it. */
type Committer = "alice" | "nobody";

/**
 * Somebody who can write into the log and holds no key puts a record into a room that names more of the directory than
 * there is. From then on the server is honest, and is even started anew; alice speaks, and lets carol in.
 */
async function attack(
  directorySize: bigint,
  committer: Committer = "alice",
  checks: Partial<Checks> = {},
) {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const alice = await world.person("alice", { checks });
  const bob = await world.person("bob", { checks });
  await until("both are in", () => alice.client.rooms.members("general").length === 2);
  const { room } = bob.client.rooms.find("general");
  const told = notices(bob.client);
  const last = (await hostile.records(room)).findLast(({ kind }) => kind === RecordKind.HANDSHAKE);
  if (!last) throw new Error("the room has no record");
  const { user, device } = alice.client.profile;
  const envelope = create(EnvelopeSchema, {
    version: 1,
    room: fromHex(room),
    previousSequence: last.sequence,
    previousSha256: await sha256(last.data),
    epoch: decodeEnvelope(last.data).epoch + 1n,
    kind: EnvelopeKind.UPDATE,
    committer: {
      user: fromHex(user),
      device: committer === "alice" ? fromHex(device) : new Uint8Array(16),
    },
    directorySize,
  });
  const signed = { envelope: toBinary(EnvelopeSchema, envelope), signature: new Uint8Array(64) };
  const junk = toBinary(SignedEnvelopeSchema, create(SignedEnvelopeSchema, signed));
  await hostile.write(room, "h", junk);
  await world.stopServer();
  await world.startServer();
  let sent = false;
  void alice.client.send("general", "hello?").then(
    () => {
      sent = true;
    },
    () => {},
  );
  await until("bob reads", async () => (await texts(bob)).includes("hello?"), 8_000).catch(
    () => {},
  );
  return { sent, read: await texts(bob), told };
}

test.each<[bigint, Committer]>([
  [2n, "alice"],
  [3n, "alice"],
  [1_000_000n, "alice"],
  [1_000_000n, "nobody"],
])(
  "a record that nobody signed, naming a directory of %s and %s as its committer, stops nobody",
  async (directorySize, committer) => {
    const { sent, read, told } = await attack(directorySize, committer);
    expect(read).toContain("hello?");
    expect(sent).toBe(true);
    expect(told).toEqual([expect.stringMatching(/breaks its rules was not followed.*not signed/)]);
  },
);

test("control: without looking at the signature a room waits for ever for what it names", async () => {
  const { sent, read, told } = await attack(1_000_000n, "alice", { envelopeSignature: false });
  expect(read).not.toContain("hello?");
  expect(sent).toBe(false);
  expect(told.join("\n")).toMatch(/could not be processed/);
});
