import { type ClientState, createCommit, type Proposal } from "ts-mls";
import { expect, test, vi } from "vitest";
import { type CommitExpectation, createMls, type Judge, MlsError } from "../src/index.ts";
import { decodeVerified } from "../src/key-packages.ts";
import { nodeEngine } from "../src/node.ts";
import { policyExtension, safeConfig } from "../src/safe-config.ts";
import { decodeState } from "../src/stored-group.ts";
import { loadSuite } from "../src/suite.ts";
import { decodeMessage, decodeTree, encodeMessage, encodeTree, mlsBytesMax } from "../src/wire.ts";
import { founded, judgeOf, letIn, type Member, people, person, suites } from "./people.ts";

const text = (value: string) => new TextEncoder().encode(value);
const none = new Uint8Array();
const day = 24 * 3600 * 1000;

/** A commit with these proposals, made by the library itself from somebody's state. */
async function commitOf(by: Member, proposals: readonly Proposal[], judge: Judge) {
  const state: ClientState = {
    ...decodeState(by.group.serialise()),
    clientConfig: safeConfig(judge),
  };
  const { commit } = await createCommit(
    { state, cipherSuite: loadSuite("classical", nodeEngine) },
    { extraProposals: [...proposals], wireAsPublicMessage: true },
  );
  return encodeMessage(commit);
}

const kinds: readonly CommitExpectation["kind"][] = ["add", "remove", "update", "policy", "rejoin"];

test("a removal without new keys is refused: whoever was removed would read on", async () => {
  const cast = await people("classical", ["alice", "bob", "carol"]);
  const [alice, bob, carol] = await cast.room();
  const removed = [carol.identity.device];
  const { commit } = await alice.group.stageRemove(removed);
  const message = decodeMessage(commit, "mls_public_message", mlsBytesMax.handshake);
  const { content } = message.publicMessage;
  if (content.contentType !== "commit") throw new Error("not a commit");
  expect(content.commit.path).toBeDefined();
  const bare = encodeMessage({
    ...message,
    publicMessage: {
      ...message.publicMessage,
      content: { ...content, commit: { ...content.commit, path: undefined } },
    } as typeof message.publicMessage,
  });
  const expectation = {
    kind: "remove",
    committer: alice.identity.device,
    added: [],
    removed,
  } as const;
  await expect(
    bob.group.process(bare, { expect: expectation, judge: cast.judge }),
  ).rejects.toMatchObject({ code: "BAD_COMMIT", message: /without new keys/ });
});

test("a commit with two kinds of change is refused, whatever its envelope says of it", async () => {
  const cast = await people("classical", ["alice", "bob", "carol", "dave"]);
  const [alice, bob, carol] = await cast.room(["alice", "bob", "carol"]);
  const dave = cast.person("dave");
  const made = await dave.mls.generateKeyPackage({ ...dave, lastResort: false });
  const suite = loadSuite("classical", nodeEngine);
  const keyPackage = await decodeVerified("classical", suite, made.keyPackage);
  const add: Proposal = { proposalType: "add", add: { keyPackage } };
  const remove: Proposal = { proposalType: "remove", remove: { removed: 2 } };
  const policy: Proposal = {
    proposalType: "group_context_extensions",
    groupContextExtensions: {
      extensions: [{ extensionType: policyExtension, extensionData: text("other") }],
    },
  };
  const [added, removed] = [[dave.identity.device], [carol.identity.device]];
  const authenticator = bob.group.epochAuthenticator.slice();
  for (const proposals of [
    [add, remove],
    [policy, remove],
    [policy, add],
  ]) {
    const commit = await commitOf(alice, proposals, cast.judge);
    for (const kind of kinds)
      for (const other of [bob, carol])
        await expect(
          other.group.process(commit, {
            expect: { kind, committer: alice.identity.device, added, removed },
            judge: cast.judge,
          }),
        ).rejects.toMatchObject({ code: "BAD_COMMIT" });
  }
  expect(bob.group.epochAuthenticator).toEqual(authenticator);
  // Alone each of them is taken.
  const alone = await alice.group.stagePolicy(text("other"));
  await bob.group.process(alone.commit, {
    expect: {
      kind: "policy",
      committer: alice.identity.device,
      added: [],
      removed: [],
      policy: text("other"),
    },
    judge: cast.judge,
  });
  expect(bob.group.policy).toEqual(text("other"));
});

test("an external commit with a key that is not certified for its device is refused", async () => {
  const cast = await people("classical", ["alice", "bob", "carol", "mallory"]);
  const [alice, bob] = await cast.room(["alice", "bob"]);
  const [carol, mallory] = [cast.person("carol"), cast.person("mallory")];
  const comeAs = async (identity: typeof carol.identity) =>
    await mallory.mls.joinByExternalCommit({
      groupInfo: await alice.group.groupInfo(),
      tree: alice.group.tree(),
      identity,
      signatureKey: mallory.signatureKey,
      judge: () => true,
    });
  await expect(comeAs(bob.identity)).rejects.toMatchObject({ code: "UNTRUSTED" });
  const asCarol = await comeAs(carol.identity);
  for (const committer of [carol.identity.device, mallory.identity.device])
    await expect(
      alice.group.process(asCarol.commit, {
        expect: { kind: "rejoin", committer, added: [committer], removed: [] },
        judge: cast.judge,
      }),
    ).rejects.toMatchObject({ code: "BAD_COMMIT" });
  expect(alice.group.members()).toHaveLength(2);
});

for (const suite of suites)
  test(`${suite}: changed bytes of every kind give a typed error or something harmless, soon`, async () => {
    const cast = await people(suite, ["alice", "bob", "carol"]);
    const [alice, bob] = await cast.room(["alice", "bob"]);
    const carol = cast.person("carol");
    const made = await carol.mls.generateKeyPackage({ ...carol, lastResort: false });
    const staged = await alice.group.stageAdd([made.keyPackage], cast.judge);
    const { sealed } = await alice.group.seal(text("hello"), none);
    const expectation = {
      kind: "add",
      committer: alice.identity.device,
      added: [carol.identity.device],
      removed: [],
    } as const;
    const readers: readonly (readonly [Uint8Array, (bytes: Uint8Array) => unknown])[] = [
      [made.keyPackage, (bytes) => bob.mls.readKeyPackage(bytes)],
      [staged.welcome ?? none, (bytes) => bob.mls.welcomeRefs(bytes)],
      [staged.tree, (bytes) => decodeTree(bytes)],
      [staged.groupInfo, (bytes) => decodeMessage(bytes, "mls_group_info", mlsBytesMax.handshake)],
      [
        staged.commit,
        (bytes) => bob.group.process(bytes, { expect: expectation, judge: cast.judge }),
      ],
      [sealed, (bytes) => bob.group.open(bytes)],
      [bob.group.serialise(), (bytes) => bob.mls.restore(bytes)],
    ];
    const authenticator = bob.group.epochAuthenticator.slice();
    let refused = 0;
    for (const [original, read] of readers)
      for (const bytes of mutants(original, 150)) {
        const began = performance.now();
        try {
          await read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MlsError);
          refused++;
        }
        expect(performance.now() - began).toBeLessThan(5000);
      }
    expect(refused).toBeGreaterThan(600);
    expect(bob.group.epochAuthenticator).toEqual(authenticator);
    expect((await bob.group.open(sealed)).plaintext).toEqual(text("hello"));
  });

/** Flipped bits, other bytes, cut off, longer: of every one some. The same every time. */
function* mutants(bytes: Uint8Array, each: number): Generator<Uint8Array> {
  yield none;
  yield new Uint8Array([...bytes, 0]);
  yield new Uint8Array([...bytes, ...bytes]);
  for (let i = 0; i < each; i++) {
    const at = (i * 7919) % bytes.length;
    yield bytes.map((byte, index) => (index === at ? byte ^ (1 << (i % 8)) : byte));
    yield bytes.map((byte, index) => (index === i ? 0xff - byte : byte));
    yield bytes.slice(0, at);
  }
}

test("what is longer than its kind may be is not looked at", async () => {
  const cast = await people("classical", ["alice", "bob"]);
  const [alice, bob] = await cast.room();
  await expect(bob.group.open(new Uint8Array(mlsBytesMax.message + 1))).rejects.toMatchObject({
    code: "TOO_LARGE",
  });
  expect(() => decodeTree(new Uint8Array(mlsBytesMax.tree + 1))).toThrow(MlsError);
  expect(() => alice.mls.welcomeRefs(new Uint8Array(mlsBytesMax.handshake + 1))).toThrow(MlsError);
});

test("a tree of ten times the devices of a room is written and read", async () => {
  const cast = await people("classical", ["alice", "bob"]);
  const [alice] = await cast.room();
  const [leaf] = decodeTree(alice.group.tree());
  const tree = Array.from({ length: 20_001 }, (_, index) => (index % 2 === 0 ? leaf : undefined));
  expect(decodeTree(encodeTree(tree)).filter((node) => node !== undefined)).toHaveLength(10_001);
});

for (const gap of [11, 201, 2000])
  test(`after a gap of ${gap} messages the next is opened, and late ones as far as keys are kept`, async () => {
    const cast = await people("classical", ["alice", "bob"]);
    const [alice, bob] = await cast.room();
    const sealed: Uint8Array[] = [];
    for (let i = 0; i <= gap; i++) sealed.push((await alice.group.seal(text(`${i}`), none)).sealed);
    const open = async (at: number) => (await bob.group.open(sealed[at] ?? none)).plaintext;
    expect(await open(gap)).toEqual(text(`${gap}`));
    const oldest = Math.max(0, gap - 256);
    for (const late of [gap - 1, gap - 10, oldest])
      expect(await open(late)).toEqual(text(`${late}`));
    await expect(open(gap - 1)).rejects.toMatchObject({ code: "REPLAYED" });
    if (oldest > 0) await expect(open(oldest - 1)).rejects.toBeInstanceOf(MlsError);
    const next = await alice.group.seal(text("next"), none);
    expect((await bob.group.open(next.sealed)).plaintext).toEqual(text("next"));
  });

test("a gap beyond the bound is refused, and leaves the group as it was", async () => {
  const cast = await people("classical", ["alice", "bob"]);
  const [alice, bob] = await cast.room();
  const first = await alice.group.seal(text("first"), none);
  await alice.group.resumeAt(2001);
  const far = await alice.group.seal(text("far"), none);
  await expect(bob.group.open(far.sealed)).rejects.toMatchObject({ code: "BAD_MESSAGE" });
  expect((await bob.group.open(first.sealed)).plaintext).toEqual(text("first"));
  // One is behind it now: the same message is within the bound.
  expect((await bob.group.open(far.sealed)).plaintext).toEqual(text("far"));
});

test("of two messages sealed from one state the second is refused", async () => {
  const cast = await people("classical", ["alice", "bob"]);
  const [alice, bob] = await cast.room();
  const twin = await alice.mls.restore(alice.group.serialise());
  const one = await alice.group.seal(text("one"), none);
  const other = await twin.seal(text("other"), none);
  expect(other.generation).toBe(one.generation);
  expect((await bob.group.open(one.sealed)).plaintext).toEqual(text("one"));
  await expect(bob.group.open(other.sealed)).rejects.toMatchObject({ code: "REPLAYED" });
});

for (const suite of suites) {
  test(`${suite}: a leaf that has expired closes the room to nobody`, async () => {
    const known = new Map<string, Uint8Array>();
    const judge = judgeOf(known);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 200 * day });
    const founder = await founded(await person(suite, "founder", known));
    const old = await letIn([founder], await person(suite, "old", known), judge);
    vi.useRealTimers();
    // Whoever adds looks at the lifetime, and only they.
    const stale = await person(suite, "stale", known, { now: () => Date.now() - 200 * day });
    await expect(letIn([founder, old], stale, judge)).rejects.toMatchObject({
      code: "BAD_COMMIT",
    });
    const newcomer = await letIn([founder, old], await person(suite, "newcomer", known), judge);
    const back = await newcomer.mls.joinByExternalCommit({
      groupInfo: await founder.group.groupInfo(),
      tree: founder.group.tree(),
      identity: newcomer.identity,
      signatureKey: newcomer.signatureKey,
      judge,
    });
    const { device } = newcomer.identity;
    for (const { group } of [founder, old])
      await group.process(back.commit, {
        expect: { kind: "rejoin", committer: device, added: [device], removed: [] },
        judge,
      });
    const { sealed } = await back.group.seal(text("back"), none);
    for (const { group } of [founder, old])
      expect((await group.open(sealed)).plaintext).toEqual(text("back"));
  });

  test(`${suite}: members whose clocks are a day off let each other in`, async () => {
    const clocks = [0, -day, day].map((off) => ({ now: () => Date.now() + off }));
    const cast = await people(suite, ["right", "behind", "ahead"], clocks);
    const members = await cast.room();
    for (const sender of members) {
      const { sealed } = await sender.group.seal(text(sender.name), none);
      for (const other of members)
        if (other !== sender)
          expect((await other.group.open(sealed)).plaintext).toEqual(text(sender.name));
    }
    // A package of the one whose clock is ahead is good already by a clock that is right.
    const [, , ahead] = members;
    const made = await ahead.mls.generateKeyPackage({ ...ahead, lastResort: false });
    const read = await createMls({ suite, now: Date.now }).readKeyPackage(made.keyPackage);
    expect(read.notBefore).toBeLessThanOrEqual(Date.now());
  });
}
