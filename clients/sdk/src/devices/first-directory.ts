import { systemClock } from "@sotto/clock";
import { type DirectoryHead, signerFromSeed } from "@sotto/identity";
import { equalBytes } from "../bytes.ts";
import { allChecks } from "../checks.ts";
import { authenticate } from "../connection/session.ts";
import { DirectoryReplica } from "../directory/directory-replica.ts";
import { SottoClientError } from "../errors.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import type { Transport } from "../ports/transport.ts";
import type { Profile } from "../profile.ts";
import { greet } from "./stranger.ts";

/**
 * Logs a new device in for the first time, reads the whole directory into its store, and holds it against the
 * head that another device of the person vouches for. Rejects with SERVER_MISBEHAVED or DIRECTORY_FORK where the
 * server tells this device another story, and with NOT_REACHABLE.
 */
export async function checkFirstDirectory(input: {
  readonly profile: Profile;
  readonly store: ProfileStore;
  readonly transport: Transport;
  readonly signal: AbortSignal;
  readonly head: DirectoryHead;
}): Promise<void> {
  const { profile, store, transport, signal, head } = input;
  const greeted = await greet(transport, profile.server, profile.serverKeySha256, signal);
  const { connection, hello } = greeted;
  try {
    await authenticate(connection, hello, greeted.transport, {
      device: profile.device,
      authKey: await signerFromSeed(profile.secrets.auth),
      quiet: () => true,
    });
    const replica = await DirectoryReplica.open({
      store,
      checks: allChecks,
      serverKeySha256: profile.serverKeySha256,
      now: () => systemClock.now(),
    });
    await replica.sync(connection, head.size);
    const same = equalBytes(await replica.directory.root(head.size), head.root);
    if (same && replica.directory.device(profile.device)?.user === profile.user) return;
    throw new SottoClientError(
      "SERVER_MISBEHAVED",
      "the server shows this device another key directory than your other device knows; this device was not set up. " +
        "On your other device run 'sotto devices', and revoke this one if it is listed",
    );
  } finally {
    connection.close();
  }
}
