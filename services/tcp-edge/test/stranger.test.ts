import { ErrorCode, encodePing, limits } from "@sotto/protocol";
import { describe, expect, it } from "vitest";
import { EdgeWorld } from "./edge-world.ts";

const errorOf = (body: { case: string | undefined; value?: unknown }) =>
  body.case === "error" ? (body.value as { code: ErrorCode }).code : body.case;

describe("a stranger", () => {
  const getLink = {
    case: "getLink" as const,
    value: { channel: new Uint8Array(16), number: 0 },
  };

  it("asks for the messages of a link at the rate of its address, over all its connections", async () => {
    await using world = await EdgeWorld.start({
      requestsPerAddressBurst: 3,
      requestsPerAddressPerSecond: 1,
    });
    using one = await world.connect();
    using two = await world.connect();
    for (const client of [one, two, one])
      expect(errorOf(await client.request(getLink))).toBe("roomList");
    const refused = await two.request(getLink);
    expect(refused).toMatchObject({ case: "error", value: { code: ErrorCode.RATE_LIMITED } });
    expect(refused.case === "error" && refused.value.retryAfterMs).toBeGreaterThan(0);
    const device = await world.keyserver.newDevice();
    expect((await two.logIn(device)).case).toBe("authenticated");
    expect(errorOf(await two.request(getLink))).toBe("roomList");
  });

  it("gets all messages of a link, though it asks for them at once", async () => {
    await using world = await EdgeWorld.start();
    const sealed = new Uint8Array(limits.linkMessageBytesMax).fill(1);
    world.keyserver.answer = { case: "linkMessage", value: { sealed } };
    using client = await world.connect();
    const asked = Array.from({ length: limits.linkMessagesMax }, () => client.request(getLink));
    const sizes = (await Promise.all(asked)).map((answer) =>
      answer.case === "linkMessage" ? answer.value.sealed.length : answer.case,
    );
    expect(sizes).toEqual(asked.map(() => sealed.length));
  });

  it("who does not read is cut off long before a device would be", async () => {
    await using world = await EdgeWorld.start({
      limits: { framesBeforeLoginMax: 2 ** 30, outboxBytesMax: 2 ** 30 },
    });
    using client = await world.connect();
    client.wire?.pause();
    const pings = Buffer.concat(
      Array.from({ length: 10_000 }, () => encodePing(new Uint8Array(8))),
    );
    const closed = async () => /too_slow_total\S* 1/.test(await world.metrics.render());
    // What the operating system holds is the first to fill up.
    for (let round = 0; round < 500 && !(await closed()); round++) {
      client.write(pings);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await closed()).toBe(true);
  });
});
