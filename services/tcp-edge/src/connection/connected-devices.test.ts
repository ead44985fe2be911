import { parseDeviceId, parseUserId } from "@sotto/protocol";
import { expect, it } from "vitest";
import { edgeLimits } from "../edge-limits.ts";
import { ConnectedDevices } from "./connected-devices.ts";
import type { Connection } from "./connection.ts";

const user = parseUserId("11".repeat(16));
const device = parseDeviceId("22".repeat(16));
const other = parseDeviceId("33".repeat(16));
/** Connections are only told apart here. */
const connection = () => ({}) as Connection;

function setUp() {
  return new ConnectedDevices(edgeLimits({ appendBurst: 2, appendsPerSecond: 0.1 }));
}

it("gives a device that comes back no more appends than it had", () => {
  const devices = setUp();
  const first = connection();
  devices.add(first, user, device, 0);
  expect(devices.takeAppend(device, 0)).toBe(0);
  expect(devices.takeAppend(device, 0)).toBe(0);
  devices.delete(first, user, device);
  devices.add(connection(), user, device, 0);
  expect(devices.takeAppend(device, 0)).toBe(10_000);
  expect(devices.takeAppend(device, 10_000)).toBe(0);
});

it("forgets the bucket of a device that is gone when it is full, not before", () => {
  const devices = setUp();
  const first = connection();
  devices.add(first, user, device, 0);
  devices.takeAppend(device, 0);
  devices.takeAppend(device, 0);
  devices.delete(first, user, device);
  devices.add(connection(), user, other, 15_000);
  expect(devices.bucketsKept).toBe(2);
  devices.add(connection(), user, other, 30_000);
  expect(devices.bucketsKept).toBe(1);
  expect(devices.takeAppend(other, 30_000)).toBe(0);
});
