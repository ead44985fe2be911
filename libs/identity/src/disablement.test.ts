import { EnvelopeKind, toHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import { newSigner, randomBytes } from "../test/person.ts";
import { leafOf, TestRoom } from "../test/room.ts";
import { checkEnvelope, removableBy } from "./check-envelope.ts";
import { sha256 } from "./digest.ts";
import { Directory } from "./directory.ts";
import { openDisablement, provenDisabled, signDisablement } from "./disablement.ts";

const { CREATE, ADD, REMOVE } = EnvelopeKind;
const [alice, bob, carol] = [leafOf(), leafOf(), leafOf()];
const since = 1_795_000_000_000;

test("only the pinned server's word, unaltered, disables somebody", async () => {
  const server = await newSigner();
  const pinned = toHex(await sha256(server.publicKey));
  const word = await signDisablement({ user: bob.user, since }, server);
  expect(await openDisablement(word, pinned)).toEqual({ user: bob.user, since });
  const other = await signDisablement({ user: bob.user, since }, await newSigner());
  expect(await openDisablement(other, pinned)).toBeUndefined();
  for (let at = 0; at < word.length; at++) {
    const altered = word.slice();
    altered[at] = (altered[at] ?? 0) ^ 1;
    expect(await openDisablement(altered, pinned), `byte ${at}`).toBeUndefined();
  }
  expect(await openDisablement(randomBytes(100), pinned)).toBeUndefined();
});

test("any member removes whom the server proves to be disabled, and nobody else with them", async () => {
  const server = await newSigner();
  const pinned = await sha256(server.publicKey);
  const room = new TestRoom();
  room.fold({ kind: CREATE, by: alice });
  room.fold({ kind: ADD, by: alice, added: [bob, carol] });
  const word = await signDisablement({ user: carol.user, since }, server);
  const codes: (string | undefined)[] = [];
  for (const [removed, disabled] of [
    [[carol], [word]],
    [[carol], []],
    [[carol, alice], [word]],
    [[alice], [word]],
  ] as const) {
    const envelope = room.envelope({ kind: REMOVE, by: bob, removed }, { disabled: [...disabled] });
    const proven = await provenDisabled(envelope, pinned);
    const removable = removableBy(envelope, new Directory(), proven);
    codes.push((await checkEnvelope(room.roster, envelope, { removable }))?.message);
  }
  const refused = "only an admin removes others";
  expect(codes).toEqual([undefined, refused, refused, refused]);
  const surplus = room.envelope({ kind: REMOVE, by: bob, removed: [carol] });
  surplus.disabled = [word, word];
  expect((await checkEnvelope(room.roster, surplus))?.message).toMatch(/disabled users/);
});
