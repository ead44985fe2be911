import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Clock } from "@sotto/clock";
import { connectToNats, type NatsTarget, NatsTooOldError, refuseOldServer } from "@sotto/nats";
import { logErrorOf } from "./jetstream/jetstream-error.ts";
import { JetStreamLog } from "./jetstream/jetstream-log.ts";
import { openStreams } from "./jetstream/streams.ts";
import { Subjects } from "./jetstream/subjects.ts";
import { type Log, LogError, recordBytesMax } from "./log.ts";

export interface JetStreamLogOptions {
  /** A connection that stays its owner's, or where to make one of the log's own. */
  readonly server: NatsConnection | NatsTarget | string;
  readonly clock: Clock;
  /** Streams that topics are spread over. May not change while records are stored. Default 4. */
  readonly streams?: number;
  /** First part of the names of streams and subjects. Default `SOTTO_LOG`. */
  readonly name?: string;
  /** Servers that store each record. Default 1. */
  readonly replicas?: number;
  /** Bytes of one stream; over it appends answer `FULL`. Default: as much as the server has. */
  readonly streamBytesMax?: number;
  /** Bytes of appends that wait; over it an append is `UNAVAILABLE`. Default 64 MiB. */
  readonly pendingBytesMax?: number;
  /** After so long without an answer an operation is `UNAVAILABLE`. Default 5,000. */
  readonly timeoutMs?: number;
}

const headerBytesMax = 4096;

/**
 * Opens the log on NATS JetStream and makes its streams where they are missing. The server must
 * be 2.12 or newer, with `max_payload` of at least 1 MiB and 4 KiB. Its promise needs
 * `sync_interval: always` on a single server, or `replicas` of 3 on a cluster: the server does
 * not tell which it has. Rejects with `LogError`.
 */
export async function openJetStreamLog(options: JetStreamLogOptions): Promise<Log> {
  const subjects = new Subjects(options.name ?? "SOTTO_LOG", options.streams ?? 4);
  const { server, clock, timeoutMs = 5000 } = options;
  const target = targetOf(server);
  const connection = target ? await connectTo(target) : (server as NatsConnection);
  const close = target ? () => connection.close() : async () => {};
  try {
    checkServer(connection);
    const manager = await jetstreamManager(connection, { timeout: timeoutMs });
    const { replicas = 1, streamBytesMax = -1, pendingBytesMax = 64 * 1024 * 1024 } = options;
    const incarnations = await openStreams(manager, subjects, { replicas, streamBytesMax });
    const opened = { connection, manager, subjects, incarnations, clock, timeoutMs, close };
    return new JetStreamLog({ ...opened, pendingBytesMax });
  } catch (cause) {
    await close();
    throw openingError(cause);
  }
}

function openingError(cause: unknown): LogError {
  if (cause instanceof NatsTooOldError)
    return new LogError("UNAVAILABLE", cause.message, { cause });
  return logErrorOf(cause);
}

function targetOf(server: JetStreamLogOptions["server"]): NatsTarget | undefined {
  if (typeof server === "string") return { servers: server };
  return "servers" in server ? server : undefined;
}

async function connectTo(target: NatsTarget): Promise<NatsConnection> {
  try {
    return await connectToNats(target);
  } catch (cause) {
    throw openingError(cause);
  }
}

function checkServer(connection: NatsConnection): void {
  refuseOldServer(connection);
  const { max_payload = 0 } = connection.info ?? {};
  if (max_payload < recordBytesMax + headerBytesMax) {
    const needed = recordBytesMax + headerBytesMax;
    throw new LogError(
      "UNAVAILABLE",
      `nats-server has max_payload ${max_payload}, below ${needed}`,
    );
  }
}
