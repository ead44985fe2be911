import { seededRandom } from "@sotto/testkit";
import { expect, test } from "vitest";
import { everySuite, long, quickSuite, seed } from "./config.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { RandomRoom } from "./harness/random-room.ts";

const runMs = long ? 600_000 : 30_000;
const betweenChecks = 4;
const losingSeed = 4;
const names = ["alice", "bob", "carol", "dave", "erin"];

test.each(everySuite)(
  `%s: ${runMs / 1000} s of adds, removes, updates, races, crashes and lost groups end with nobody outside (--seed ${seed})`,
  async (suite) => {
    await using hostile = await HostileWorld.start({}, suite);
    const room = await RandomRoom.begin(hostile, seededRandom(seed), names);
    const end = performance.now() + runMs;
    let happened = 0;
    try {
      while (performance.now() < end) {
        for (let i = 0; i < betweenChecks; i++, happened++) await room.happen();
        await room.check();
      }
    } catch (cause) {
      throw new Error(`seed ${seed}, after ${room.story.slice(-12).join("; ")}`, { cause });
    }
    const { heard, acknowledged } = await room.end();
    const [first = [], ...others] = [...heard.values()];
    expect(first.toSorted()).toEqual([...new Set([...first, ...acknowledged])].toSorted());
    expect(new Set(first).size, "nothing is doubled").toBe(first.length);
    for (const other of others) expect(other).toEqual(first);
    process.stdout.write(
      `random-history: ${suite}, seed ${seed}, ${happened} things happened, ${acknowledged.length} messages acknowledged\n`,
    );
  },
  runMs + 120_000,
);

// Of this seed the first thing that happens is that somebody loses the group.
test.each([
  ["with repair everybody is in again", true],
  ["control: without it who lost the group stays outside", false],
] as const)("%s", async (_, repairs) => {
  await using hostile = await HostileWorld.start({}, quickSuite);
  const room = await RandomRoom.begin(hostile, seededRandom(losingSeed), names, repairs);
  await room.happen();
  expect(room.story).toEqual([expect.stringMatching(/loses the group$/)]);
  if (repairs) await room.check();
  else await expect(room.check(5_000)).rejects.toThrow(/5 inside, .*keeps no group of that room/);
});
