import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";

export { Losses, NatsLostError } from "./losses.ts";

/** Where NATS is, and as whom to come. */
export interface NatsTarget {
  /** `nats://host:port` or `tls://host:port`, one or more; credentials in the first are used for all. */
  readonly servers: readonly string[] | string;
  readonly user?: string;
  readonly password?: string;
  /** Shown in the server's list of connections. */
  readonly name?: string;
}

/** A server is too old, or refused the connection's place. */
export class NatsTooOldError extends Error {
  override readonly name = "NatsTooOldError";
}

/** Atomic batches, and conditions on another subject, came with it. */
const oldestServer: readonly [number, number] = [2, 12];

/**
 * Connects, and stays: a connection that breaks is made again for ever. A user hears answers under an inbox of
 * its own, so that the server can keep every other user from listening there. Rejects with the client's error, or
 * with `NatsTooOldError`.
 */
export async function connectToNats(target: NatsTarget): Promise<NatsConnection> {
  const { servers, name } = target;
  const list = typeof servers === "string" ? servers.split(",") : [...servers];
  const first = new URL(list[0] ?? "nats://127.0.0.1:4222");
  const user = target.user ?? decodeURIComponent(first.username);
  const pass = target.password ?? decodeURIComponent(first.password);
  const connection = await connect({
    servers: list.map((server) => new URL(server.trim()).host),
    ...(user ? { user, pass, inboxPrefix: inboxPrefix(user) } : {}),
    ...(name ? { name } : {}),
    ...(first.protocol === "tls:" ? { tls: {} } : {}),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    pingInterval: 5_000,
    maxPingOut: 2,
  });
  try {
    refuseOldServer(connection);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Throws `NatsTooOldError` where the connection's server lacks what Sotto needs. */
export function refuseOldServer({ info }: Pick<NatsConnection, "info">): void {
  const { version = "0" } = info ?? {};
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > oldestServer[0] || (major === oldestServer[0] && minor >= oldestServer[1])) return;
  throw new NatsTooOldError(
    `nats-server ${version} is too old: Sotto needs ${oldestServer.join(".")} or newer`,
  );
}

/** Where the answers to a user's requests arrive: what the server's permissions name. */
export function inboxPrefix(user: string): string {
  return `_INBOX.${user.replaceAll(/[^A-Za-z0-9_-]/g, "_")}`;
}
