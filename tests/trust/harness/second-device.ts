import { type ClientOptions, joinByLink } from "@sotto/sdk";
import { LastingStore } from "../../scenarios/company.ts";
import type { Joined, World } from "../../scenarios/world.ts";

/** A further device of a person, linked by one that is there, and in `general`. */
export async function secondDevice(
  world: World,
  by: Joined,
  deviceName: string,
  options: Partial<ClientOptions> = {},
): Promise<Joined> {
  const store = new LastingStore();
  const link = await by.client.devices.link();
  const done = link.complete(new AbortController().signal);
  await joinByLink({ code: link.code, deviceName, store, transport: world.transport });
  await done;
  const device = await world.open(`${by.name}/${deviceName}`, store, options);
  await device.client.rooms.waitFor("general", 10_000);
  return device;
}
