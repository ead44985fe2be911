import { joinByLink, recover } from "@sotto/sdk";
import { expect } from "vitest";
import { LastingStore } from "./company.ts";
import type { Joined, World } from "./world.ts";

/** A further device of a person, linked by one that is there. */
export async function linked(world: World, by: Joined, deviceName: string): Promise<Joined> {
  const store = new LastingStore();
  const link = await by.client.devices.link();
  const done = link.complete(new AbortController().signal);
  await joinByLink({ code: link.code, deviceName, store, transport: world.transport });
  expect(await done).toMatchObject({ name: deviceName });
  return await world.open(`${by.name}/${deviceName}`, store);
}

/** A new machine of the person whose phrase it is. */
export async function recovered(
  world: World,
  phrase: string,
  keepDevices = false,
): Promise<Joined> {
  const store = new LastingStore();
  const { port } = world.server.announced.listening;
  await recover({
    ...{ server: `127.0.0.1:${port}`, phrase, deviceName: "new machine", keepDevices, store },
    transport: world.transport,
  });
  return await world.open("recovered", store);
}
