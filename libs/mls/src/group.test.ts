import { expect, test } from "vitest";
import { founded, letIn, people, suites } from "../test/people.ts";
import { MlsError } from "./index.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (value: string) => new TextEncoder().encode(value);
const aad = bytes("aad");

for (const suite of suites) {
  test(`${suite}: what one seals, the others open, and nobody twice`, async () => {
    const cast = await people(suite, ["alice", "bob"]);
    const [alice, bob] = await cast.room();
    const { sealed } = await alice.group.seal(bytes("hello"), aad);
    const opened = await bob.group.open(sealed);
    expect(text(opened.plaintext)).toBe("hello");
    expect(opened.sender.device).toBe(alice.identity.device);
    expect(opened.aad).toEqual(aad);
    await expect(bob.group.open(sealed)).rejects.toMatchObject({ code: "REPLAYED" });
  });

  test(`${suite}: a removed member reads nothing of the next epoch`, async () => {
    const cast = await people(suite, ["alice", "bob", "carol"]);
    const [alice, bob, carol] = await cast.room();
    const before = await alice.group.seal(bytes("with carol"), aad);
    expect(text((await carol.group.open(before.sealed)).plaintext)).toBe("with carol");

    const staged = await alice.group.stageRemove([carol.identity.device]);
    const expectation = {
      kind: "remove",
      committer: alice.identity.device,
      added: [],
      removed: [carol.identity.device],
    } as const;
    await bob.group.process(staged.commit, { expect: expectation, judge: cast.judge });
    await expect(
      carol.group.process(staged.commit, { expect: expectation, judge: cast.judge }),
    ).resolves.toEqual({ outcome: "removed" });
    await alice.group.confirm(staged.serialise());
    const after = await alice.group.seal(bytes("without carol"), aad);

    expect(text((await bob.group.open(after.sealed)).plaintext)).toBe("without carol");
    await expect(carol.group.open(after.sealed)).rejects.toBeInstanceOf(MlsError);
    // The test can fail: whoever stays reads exactly what carol must not.
    expect(alice.group.epochAuthenticator).toEqual(bob.group.epochAuthenticator);
    expect(carol.group.epochAuthenticator).not.toEqual(bob.group.epochAuthenticator);
  });

  test(`${suite}: who joins reads nothing of what was sealed before`, async () => {
    const cast = await people(suite, ["alice", "bob", "carol"]);
    const [alice, bob] = await cast.room(["alice", "bob"]);
    const before = await alice.group.seal(bytes("without carol"), aad);
    const carol = await letIn([alice, bob], cast.person("carol"), cast.judge);
    await expect(carol.group.open(before.sealed)).rejects.toBeInstanceOf(MlsError);
    expect(text((await bob.group.open(before.sealed)).plaintext)).toBe("without carol");
    const after = await alice.group.seal(bytes("with carol"), aad);
    expect(text((await carol.group.open(after.sealed)).plaintext)).toBe("with carol");
  });

  test(`${suite}: keys that were copied once open nothing after their owner renewed them`, async () => {
    const cast = await people(suite, ["alice", "bob"]);
    const [alice, bob] = await cast.room();
    const copy = await bob.mls.restore(bob.group.serialise());
    const before = await alice.group.seal(bytes("copied"), aad);
    expect(text((await copy.open(before.sealed)).plaintext)).toBe("copied");

    const staged = await bob.group.stageUpdate();
    const update = {
      expect: { kind: "update", committer: bob.identity.device, added: [], removed: [] },
      judge: cast.judge,
    } as const;
    await alice.group.process(staged.commit, update);
    await expect(copy.process(staged.commit, update)).rejects.toBeInstanceOf(MlsError);
    await bob.group.confirm(staged.serialise());
    const after = await alice.group.seal(bytes("renewed"), aad);
    await expect(copy.open(after.sealed)).rejects.toBeInstanceOf(MlsError);
    expect(text((await bob.group.open(after.sealed)).plaintext)).toBe("renewed");
  });

  test(`${suite}: a message at another's leaf, signed by a member's own key, is refused`, async () => {
    const cast = await people(suite, ["alice", "bob", "carol"]);
    const alice = await founded(cast.person("alice"));
    const bob = cast.person("bob");
    // Every member has the secrets that a message at bob's leaf is sealed under; carol lacks his signing key.
    const made = await bob.mls.generateKeyPackage({ ...bob, lastResort: false });
    const staged = await alice.group.stageAdd([made.keyPackage], cast.judge);
    await alice.group.confirm(staged.serialise());
    const asBob = (signatureKey: typeof bob.signatureKey) =>
      bob.mls.joinFromWelcome({
        welcome: staged.welcome ?? new Uint8Array(),
        tree: staged.tree,
        secret: made.secret,
        signatureKey,
        judge: cast.judge,
      });
    const forger = await asBob(cast.person("carol").signatureKey);
    const forged = await forger.seal(bytes("I resign"), aad);
    await expect(alice.group.open(forged.sealed)).rejects.toBeInstanceOf(MlsError);
    const honest = await (await asBob(bob.signatureKey)).seal(bytes("I stay"), aad);
    expect(text((await alice.group.open(honest.sealed)).plaintext)).toBe("I stay");
  });

  test(`${suite}: a staged commit changes nothing until it has won, and survives storage`, async () => {
    const cast = await people(suite, ["alice", "bob"]);
    const [alice, bob] = await cast.room();
    const losing = await alice.group.stageUpdate();
    const winning = await bob.group.stageUpdate();
    expect(alice.group.epoch).toBe(bob.group.epoch);
    const kept = winning.serialise();
    await alice.group.process(winning.commit, {
      expect: { kind: "update", committer: bob.identity.device, added: [], removed: [] },
      judge: cast.judge,
    });
    await bob.group.confirm(kept);
    expect(alice.group.epochAuthenticator).toEqual(bob.group.epochAuthenticator);
    await expect(
      bob.group.process(losing.commit, {
        expect: { kind: "update", committer: alice.identity.device, added: [], removed: [] },
        judge: cast.judge,
      }),
    ).rejects.toMatchObject({ code: "WRONG_EPOCH" });
  });

  test(`${suite}: a device that lost its state comes back by an external commit`, async () => {
    const cast = await people(suite, ["alice", "bob", "carol"]);
    const [alice, bob, carol] = await cast.room();
    const { mls, identity, signatureKey } = carol;
    const back = await mls.joinByExternalCommit({
      groupInfo: await alice.group.groupInfo(),
      tree: alice.group.tree(),
      identity,
      signatureKey,
      judge: cast.judge,
    });
    const expectation = {
      kind: "rejoin",
      committer: identity.device,
      added: [identity.device],
      removed: [],
    } as const;
    for (const { group } of [alice, bob])
      await group.process(back.commit, { expect: expectation, judge: cast.judge });
    const { sealed } = await back.group.seal(bytes("back"), aad);
    expect(text((await bob.group.open(sealed)).plaintext)).toBe("back");
    expect(back.group.members()).toHaveLength(3);
  });

  test(`${suite}: after a crash no generation is used a second time`, async () => {
    const cast = await people(suite, ["alice", "bob"]);
    const [alice, bob] = await cast.room();
    const stored = alice.group.serialise();
    const lost = await alice.group.seal(bytes("sent before the crash"), aad);
    const restored = await alice.mls.restore(stored);
    await restored.resumeAt(lost.generation + 32);
    const next = await restored.seal(bytes("after"), aad);
    expect(next.generation).toBe(lost.generation + 32);
    expect(text((await bob.group.open(next.sealed)).plaintext)).toBe("after");
    expect(text((await bob.group.open(lost.sealed)).plaintext)).toBe("sent before the crash");
  });
}

test("a commit that does something else than its envelope says is refused and changes nothing", async () => {
  const cast = await people("classical", ["alice", "bob", "carol"]);
  const [alice, bob, carol] = await cast.room();
  const staged = await alice.group.stageRemove([carol.identity.device]);
  const authenticator = bob.group.epochAuthenticator;
  const lies = [
    { kind: "update", committer: alice.identity.device, added: [], removed: [] },
    { kind: "remove", committer: alice.identity.device, added: [], removed: [bob.identity.device] },
    {
      kind: "remove",
      committer: carol.identity.device,
      added: [],
      removed: [carol.identity.device],
    },
    { kind: "add", committer: alice.identity.device, added: [carol.identity.device], removed: [] },
  ] as const;
  for (const expectation of lies) {
    await expect(
      bob.group.process(staged.commit, { expect: expectation, judge: cast.judge }),
    ).rejects.toMatchObject({ code: "BAD_COMMIT" });
    expect(bob.group.epochAuthenticator).toEqual(authenticator);
  }
});

test("a device that the directory does not certify is not added by anybody", async () => {
  const cast = await people("classical", ["alice", "bob", "mallory"]);
  const [alice, bob] = await cast.room(["alice", "bob"]);
  const mallory = cast.person("mallory");
  const made = await mallory.mls.generateKeyPackage({ ...mallory, lastResort: false });
  const staged = await alice.group.stageAdd([made.keyPackage], () => true);
  const expectation = {
    kind: "add",
    committer: alice.identity.device,
    added: [mallory.identity.device],
    removed: [],
  } as const;
  const judge = (leaf: { device: string }) => leaf.device !== mallory.identity.device;
  await expect(
    bob.group.process(staged.commit, { expect: expectation, judge }),
  ).rejects.toMatchObject({ code: "BAD_COMMIT" });
});

test("bytes that are no message give a typed error and leave the group as it was", async () => {
  const cast = await people("classical", ["alice", "bob"]);
  const [alice, bob] = await cast.room();
  const { sealed } = await alice.group.seal(bytes("hello"), aad);
  const broken: Uint8Array[] = [new Uint8Array(), Uint8Array.of(0), new Uint8Array([...sealed, 0])];
  for (let at = 0; at < sealed.length; at += 7) {
    const changed = sealed.slice();
    changed[at] = (changed[at] ?? 0) ^ 0x41;
    broken.push(changed);
  }
  for (const candidate of broken)
    await expect(bob.group.open(candidate)).rejects.toBeInstanceOf(MlsError);
  expect(text((await bob.group.open(sealed)).plaintext)).toBe("hello");
});

test("a message that comes after many others of its sender is still opened", async () => {
  const cast = await people("classical", ["alice", "bob"]);
  const [alice, bob] = await cast.room();
  const sealed: Uint8Array[] = [];
  for (let i = 0; i < 300; i++) sealed.push((await alice.group.seal(bytes(String(i)), aad)).sealed);
  expect(text((await bob.group.open(sealed[299] as Uint8Array)).plaintext)).toBe("299");
  expect(text((await bob.group.open(sealed[150] as Uint8Array)).plaintext)).toBe("150");
});

test("the patch of the library is applied: a tree with merged and unmerged leaves can be joined", async () => {
  const { readFileSync } = await import("node:fs");
  const { fileURLToPath } = await import("node:url");
  const library = readFileSync(fileURLToPath(import.meta.resolve("ts-mls/clientState.js")), "utf8");
  expect(library).toContain("dpNode.parent.unmergedLeaves.includes(unmergedLeaf)");
});

test("a policy is what its envelope says, byte for byte, or the commit is refused", async () => {
  const cast = await people("classical", ["alice", "bob"]);
  const [alice, bob] = await cast.room();
  const policy = bytes("another policy");
  const staged = await alice.group.stagePolicy(policy);
  const before = bob.group.policy;
  const honest = {
    kind: "policy",
    committer: alice.identity.device,
    added: [],
    removed: [],
  } as const;
  for (const lie of [bytes("yet another one"), bytes("another polic"), undefined]) {
    const expectation = lie ? { ...honest, policy: lie } : honest;
    await expect(
      bob.group.process(staged.commit, { expect: expectation, judge: cast.judge }),
    ).rejects.toMatchObject({ code: "BAD_COMMIT" });
    expect(bob.group.policy).toEqual(before);
  }
  await bob.group.process(staged.commit, { expect: { ...honest, policy }, judge: cast.judge });
  await alice.group.confirm(staged.serialise());
  expect(bob.group.policy).toEqual(policy);
  expect(bob.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator);
});

test("a proposal outside of a commit is not taken", async () => {
  const cast = await people("classical", ["alice", "bob"]);
  const [alice, bob] = await cast.room();
  const before = bob.group.serialise();
  const staged = await alice.group.stageUpdate();
  await expect(bob.group.takeProposal(staged.commit, cast.judge)).rejects.toMatchObject({
    code: "BAD_COMMIT",
    message: expect.stringMatching(/Sotto has none of/),
  });
  expect(bob.group.serialise()).toEqual(before);
});
