import { limits } from "@sotto/protocol";
import { expect, test } from "vitest";
import type { GeneratedKeyPackage } from "../src/index.ts";
import { mlsBytesMax } from "../src/wire.ts";
import { founded, judgeOf, type Member, type Person, person, suites } from "./people.ts";

const devices = limits.roomDevicesMax;
const text = (value: string) => new TextEncoder().encode(value);
const none = new Uint8Array();

/** Lets devices in by one commit; those named by `follow` apply it. What is answered lets the last newcomer join. */
async function admit(
  by: Member,
  newcomers: readonly Person[],
  follow: readonly Member[],
  judge: ReturnType<typeof judgeOf>,
): Promise<() => Promise<Member>> {
  const packages: GeneratedKeyPackage[] = [];
  for (const newcomer of newcomers)
    packages.push(await newcomer.mls.generateKeyPackage({ ...newcomer, lastResort: false }));
  const staged = await by.group.stageAdd(
    packages.map(({ keyPackage }) => keyPackage),
    judge,
  );
  const added = newcomers.map(({ identity }) => identity.device);
  const expectation = {
    kind: "add",
    committer: by.identity.device,
    added,
    removed: [],
  } as const;
  for (const { group } of follow)
    await group.process(staged.commit, { expect: expectation, judge });
  await by.group.confirm(staged.serialise());
  const last = newcomers.at(-1) as Person;
  return async () => {
    const group = await last.mls.joinFromWelcome({
      welcome: staged.welcome ?? none,
      tree: staged.tree,
      secret: packages.at(-1)?.secret ?? none,
      signatureKey: last.signatureKey,
      judge,
    });
    return { ...last, group };
  };
}

for (const suite of suites)
  test(`${suite}: a room of ${devices} devices is filled, joined, changed, left, stored and come back to`, async () => {
    const known = new Map<string, Uint8Array>();
    const judge = judgeOf(known);
    const founder = await founded(await person(suite, "founder", known));
    // One device is in from the first commit on and follows all of them.
    const enter = await admit(founder, [await person(suite, "follower", known)], [], judge);
    const follower = await enter();
    let enterLast = enter;
    let anybody: Person = follower;
    while (founder.group.members().length < devices) {
      const count = Math.min(limits.addedDevicesMax, devices - founder.group.members().length);
      const newcomers = [];
      for (let i = 0; i < count; i++) newcomers.push(await person(suite, `${i}`, known));
      anybody = newcomers[0] ?? anybody;
      enterLast = await admit(founder, newcomers, [follower], judge);
    }
    const last = await enterLast();
    const members = [founder, follower, last];
    const agree = () => {
      const authenticators = members.map(({ group }) =>
        Buffer.from(group.epochAuthenticator).toString("hex"),
      );
      expect(new Set(authenticators).size).toBe(1);
    };
    agree();
    expect(last.group.members()).toHaveLength(devices);

    // The dearest commit that there is: no inner node has a key yet.
    const update = await last.group.stageUpdate();
    expect(update.commit.length).toBeLessThan(mlsBytesMax.handshake / 2);
    expect(update.tree.length).toBeLessThan(mlsBytesMax.tree / 2);
    const committed = async (
      by: Member,
      staged: typeof update,
      kind: "update" | "remove",
      removed: readonly string[],
    ) => {
      const expectation = { kind, committer: by.identity.device, added: [], removed };
      for (const other of members)
        if (other !== by) await other.group.process(staged.commit, { expect: expectation, judge });
      await by.group.confirm(staged.serialise());
      agree();
    };
    await committed(last, update, "update", []);
    const gone = anybody.identity.device;
    await committed(founder, await founder.group.stageRemove([gone]), "remove", [gone]);

    const stored = follower.group.toStore();
    const whole = follower.group.serialise();
    expect(stored.epochState?.length).toBeLessThan(32 * 1024 * 1024);
    expect(stored.ratchets.length).toBeLessThan(256 * 1024);
    follower.group = await follower.mls.restore(stored.epochState ?? none, stored.ratchets);
    expect(follower.group.serialise()).toEqual(whole);

    const back = await last.mls.joinByExternalCommit({
      groupInfo: await follower.group.groupInfo(),
      tree: follower.group.tree(),
      identity: last.identity,
      signatureKey: last.signatureKey,
      judge,
    });
    const { device } = last.identity;
    for (const { group } of [founder, follower])
      await group.process(back.commit, {
        expect: { kind: "rejoin", committer: device, added: [device], removed: [] },
        judge,
      });
    last.group = back.group;
    agree();
    const { sealed } = await last.group.seal(text("all here"), none);
    for (const { group } of [founder, follower])
      expect((await group.open(sealed)).plaintext).toEqual(text("all here"));
  }, 300_000);
