import { ManualClock } from "@sotto/clock";
import { expect, it } from "vitest";
import { AddressLimits } from "./address-limits.ts";

function limitsWith(options: { beforeLoginMax?: number; burst?: number; perSecond?: number }) {
  const clock = new ManualClock();
  const rates = { burst: 100, perSecond: 1, requestBurst: 2, requestsPerSecond: 10 };
  const defaults = { beforeLoginMax: 100, ...rates };
  return { clock, limits: new AddressLimits({ clock, ...defaults, ...options }) };
}

it("an address may have so many connections before login, and a released one makes room once", () => {
  using limits = limitsWith({ beforeLoginMax: 2 }).limits;
  const entered = limits.enter("1.2.3.4");
  expect(limits.enter("1.2.3.4")).toBeDefined();
  expect(limits.enter("1.2.3.4")).toBeUndefined();
  expect(limits.enter("1.2.3.5")).toBeDefined();
  entered?.release();
  entered?.release();
  expect(limits.enter("1.2.3.4")).toBeDefined();
  expect(limits.enter("1.2.3.4")).toBeUndefined();
});

it("an address may begin so many connections in a time", async () => {
  const { clock, limits } = limitsWith({ burst: 2, perSecond: 1 });
  for (let n = 0; n < 2; n++) limits.enter("1.2.3.4")?.release();
  expect(limits.enter("1.2.3.4")).toBeUndefined();
  await clock.advance(1000);
  expect(limits.enter("1.2.3.4")).toBeDefined();
  limits[Symbol.dispose]();
});

it("an address makes so many requests without a login, over all its connections", async () => {
  const { clock, limits } = limitsWith({});
  const [one, two] = [limits.enter("1.2.3.4"), limits.enter("1.2.3.4")];
  expect([one?.takeRequest(), two?.takeRequest()]).toEqual([0, 0]);
  expect(one?.takeRequest()).toBe(100);
  expect(limits.enter("1.2.3.5")?.takeRequest()).toBe(0);
  await clock.advance(100);
  expect(two?.takeRequest()).toBe(0);
  limits[Symbol.dispose]();
});

it("an idle address is forgotten only when forgetting it gives it nothing", async () => {
  const { clock, limits } = limitsWith({ beforeLoginMax: 1, burst: 1000, perSecond: 1000 });
  expect(limits.enter("1.2.3.4")).toBeDefined();
  await clock.advance(60_000);
  expect(limits.enter("1.2.3.4")).toBeUndefined();
  limits[Symbol.dispose]();
});

it("an IPv6 host counts by its network, however it is written", () => {
  using limits = limitsWith({ beforeLoginMax: 1 }).limits;
  expect(limits.enter("2001:db8:0:1::1")).toBeDefined();
  expect(limits.enter("2001:db8:0:1:9::2")).toBeUndefined();
  expect(limits.enter("2001:db8:0:2::1")).toBeDefined();
  expect(limits.enter("::ffff:1.2.3.4")).toBeDefined();
  expect(limits.enter("1.2.3.4")).toBeUndefined();
});
