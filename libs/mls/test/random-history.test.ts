import { expect, test } from "vitest";
import { founded, judgeOf, letIn, type Member, person, suites } from "./people.ts";

const steps = 14;
const seeds = [1, 2, 3, 4];

/** A small generator of numbers (mulberry32), so that a failing history can be told again. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

for (const suite of suites) {
  test.each(seeds)(
    `${suite}: random adds, removes, updates and rejoins end with everybody inside (seed %i)`,
    async (seed) => {
      const random = generator(seed);
      const known = new Map<string, Uint8Array>();
      const judge = judgeOf(known);
      const pick = (list: readonly Member[]) => list[Math.floor(random() * list.length)] as Member;
      let members: Member[] = [await founded(await person(suite, "0", known))];
      for (let step = 1; step <= steps; step++) {
        const dice = random();
        if (members.length < 3 || dice < 0.4) {
          const by = pick(members);
          const rest = members.filter((member) => member !== by);
          members.push(await letIn([by, ...rest], await person(suite, String(step), known), judge));
        } else if (dice < 0.6) {
          const by = pick(members);
          const gone = pick(members.filter((member) => member !== by));
          members = await everybody(members, by, "remove", gone);
        } else if (dice < 0.85) members = await everybody(members, pick(members), "update");
        else await comeBack(members, pick(members));
        const authenticators = new Set(
          members.map(({ group }) => Buffer.from(group.epochAuthenticator).toString("hex")),
        );
        expect(authenticators.size, `after step ${step}`).toBe(1);
      }
      const { sealed } = await pick(members).group.seal(
        new TextEncoder().encode("all here"),
        new Uint8Array(),
      );
      const opened = await Promise.allSettled(members.map(({ group }) => group.open(sealed)));
      expect(opened.filter(({ status }) => status === "fulfilled").length).toBeGreaterThanOrEqual(
        members.length - 1,
      );

      async function everybody(
        all: Member[],
        by: Member,
        kind: "remove" | "update",
        gone?: Member,
      ): Promise<Member[]> {
        const removed = gone ? [gone.identity.device] : [];
        const staged = gone ? await by.group.stageRemove(removed) : await by.group.stageUpdate();
        const stay = all.filter((member) => member !== gone);
        for (const { group } of stay.filter((member) => member !== by)) {
          await group.process(staged.commit, {
            expect: { kind, committer: by.identity.device, added: [], removed },
            judge,
          });
        }
        await by.group.confirm(staged.serialise());
        return stay;
      }

      async function comeBack(all: Member[], lost: Member): Promise<void> {
        const other = pick(all.filter((member) => member !== lost));
        const { mls, identity, signatureKey } = lost;
        const groupInfo = await other.group.groupInfo();
        const tree = other.group.tree();
        const back = await mls.joinByExternalCommit({
          groupInfo,
          tree,
          identity,
          signatureKey,
          judge,
        });
        const expectation = {
          kind: "rejoin",
          committer: identity.device,
          added: [identity.device],
          removed: [],
        } as const;
        for (const { group } of all.filter((member) => member !== lost)) {
          await group.process(back.commit, { expect: expectation, judge });
        }
        lost.group = back.group;
      }
    },
  );
}
