import { userInfo } from "node:os";
import { type Container, docker, type Stack } from "../compose/stack.ts";
import type { Company } from "../scenarios/company.ts";
import { clockJump } from "./clock-jump.ts";
import { type Load, pause } from "./load.ts";
import { cutOff, fillVolume, killHard, standStill } from "./parts.ts";
import { removedMember } from "./removed-member.ts";
import type { Random } from "./seeded.ts";

/** What a fault may strike. */
export interface Struck {
  readonly stack: Stack;
  readonly company: Company;
  readonly load: Load;
  readonly random: Random;
}

/** One thing that happens to servers. Resolves when it is over; what is found wrong is said in words. */
export interface Fault {
  readonly name: string;
  /** Only with --full. */
  readonly full?: true;
  /** Why it cannot be made on this machine; undefined where it can. */
  readonly impossible?: () => string | undefined;
  strike(struck: Struck): Promise<readonly string[]>;
}

const pauseMs = 20_000;

async function one({ stack, random }: Struck, service: string): Promise<Container> {
  const containers = await stack.containers(service);
  const chosen = containers[Math.floor(random() * containers.length)];
  if (!chosen) throw new Error(`no container of ${service}`);
  return chosen;
}

function killed(service: string): Fault {
  return {
    name: `kill -9 ${service}`,
    async strike(struck) {
      await killHard(await one(struck, service));
      return [];
    },
  };
}

function paused(service: string, full?: true): Fault {
  return {
    name: `pause ${service} 20 s`,
    ...(full ? { full } : {}),
    async strike(struck) {
      await standStill(await one(struck, service), pauseMs);
      return [];
    },
  };
}

const removal = (
  name: string,
  fault: (struck: Struck, edge: Container, removing: () => Promise<void>) => Promise<void>,
): Fault => ({
  name,
  async strike(struck) {
    const { stack, company, load } = struck;
    const [owner] = load.people;
    const invite = async () => {
      if (!owner) throw new Error("nobody invites");
      return (await owner.client.invite()).invite;
    };
    const { leaked, removed } = await removedMember(stack, company, invite, (edge, removing) =>
      fault(struck, edge, removing),
    );
    return [
      ...(leaked > 0 ? [`the removed member's socket got ${leaked} later records`] : []),
      ...(removed ? [] : ["the removed member was not told"]),
    ];
  },
});

/** Every fault of the schedule. */
export const faults: readonly Fault[] = [
  killed("tcp-edge"),
  killed("keyserver"),
  killed("presence"),
  killed("media"),
  killed("nats"),
  killed("redis"),
  paused("tcp-edge"),
  paused("keyserver", true),
  paused("presence", true),
  paused("media"),
  paused("nats", true),
  paused("redis", true),
  {
    name: "cut edge from NATS 15 s",
    async strike(struck) {
      const edge = await one(struck, "tcp-edge");
      await cutOff(struck.stack, edge, "bus", () => pause(15_000));
      return [];
    },
  },
  {
    name: "restart HAProxy",
    async strike({ stack }) {
      const haproxy = await stack.container("haproxy");
      await docker("restart", "--time", "1", haproxy.id);
      return [];
    },
  },
  removal("edge paused at a removal", async (_, edge, removing) => {
    await docker("pause", edge.id);
    try {
      await removing();
      await pause(5000);
    } finally {
      await docker("unpause", edge.id);
    }
  }),
  removal("roster invalidation dropped", async ({ stack }, edge, removing) => {
    // The hint is published while the edge hears nothing, and not again.
    await cutOff(stack, edge, "bus", removing);
  }),
  {
    name: "disk full: log",
    async strike({ stack }) {
      await fillVolume(stack, "/log", () => pause(8000));
      return [];
    },
  },
  {
    name: "disk full: blobs",
    async strike({ stack, load }) {
      let more = 0;
      await fillVolume(stack, "/blobs", async () => {
        await pause(2000);
        const before = load.media.uploads;
        await pause(5000);
        more = load.media.uploads - before;
      });
      return more > 0 ? [`${more} uploads were acknowledged on a full disk`] : [];
    },
  },
  {
    name: "clock jump 10 min",
    full: true,
    impossible: () => (userInfo().uid === 0 ? undefined : "the clock is set by root alone"),
    async strike() {
      await clockJump(600_000, () => pause(8000));
      return [];
    },
  },
];
