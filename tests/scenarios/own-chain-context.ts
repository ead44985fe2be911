import { systemClock } from "@sotto/clock";
import { signerFromSeed } from "@sotto/identity";
import { MemoryStore, type Profile } from "@sotto/sdk";
import { allChecks } from "../../clients/sdk/src/checks.ts";
import { authenticate } from "../../clients/sdk/src/connection/session.ts";
import type { ChainContext } from "../../clients/sdk/src/devices/own-chain.ts";
import { greet } from "../../clients/sdk/src/devices/stranger.ts";
import { DirectoryReplica } from "../../clients/sdk/src/directory/directory-replica.ts";
import type { World } from "./world.ts";

/** What puts records into a person's chain beside their client. */
export async function recordContext(world: World, profile: Profile) {
  const { signal } = new AbortController();
  const { serverKeySha256, server, device } = profile;
  const greeted = await greet(world.transport, server, serverKeySha256, signal);
  const { connection, hello, transport } = greeted;
  const authKey = await signerFromSeed(profile.secrets.auth);
  await authenticate(connection, hello, transport, { device, authKey, quiet: () => true });
  const directory = await DirectoryReplica.open({
    ...{ store: new MemoryStore(), checks: allChecks, serverKeySha256 },
    now: () => systemClock.now(),
  });
  const online = async () => connection;
  const context: ChainContext = { directory, clock: systemClock, signal, online, profile };
  return { context, [Symbol.asyncDispose]: async () => connection.close() };
}
