import { randomBytes } from "node:crypto";
import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import { type Incarnation, idempotencyWindowMs, LogError } from "../log.ts";
import { parseIncarnation } from "../topic.ts";
import type { Subjects } from "./subjects.ts";

/** What an operator decides of the streams. */
export interface StreamLimits {
  /** Servers that store each record: 1 with `sync_interval: always`, 3 on a cluster. */
  readonly replicas: number;
  /** Bytes of one stream; over it appends answer `FULL`. -1: as much as the server has. */
  readonly streamBytesMax: number;
}

const formatVersion = 1;

/** Makes the log's streams where they are missing and answers the incarnation of each. */
export async function openStreams(
  manager: JetStreamManager,
  subjects: Subjects,
  limits: StreamLimits,
): Promise<readonly Incarnation[]> {
  const incarnations: Incarnation[] = [];
  for (let index = 0; index < subjects.streamCount; index++) {
    const name = subjects.stream(index);
    const info =
      (await streamInfo(manager, name)) ?? (await create(manager, name, index, subjects, limits));
    incarnations.push(checkStream(info, subjects.streamCount));
  }
  return incarnations;
}

export async function streamInfo(
  manager: JetStreamManager,
  name: string,
): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === 10059) return undefined;
    throw error;
  }
}

/** The incarnation of a stream that this version can use; throws `CORRUPT` for any other. */
export function checkStream(info: StreamInfo, streamCount: number): Incarnation {
  const { name, metadata, allow_atomic, allow_direct } = info.config;
  const refuse = (why: string) => new LogError("CORRUPT", `stream ${name} ${why}`);
  const incarnation = metadata?.["sotto-incarnation"];
  if (incarnation === undefined) throw refuse("was not made by Sotto");
  const format = Number(metadata?.["sotto-format"]);
  if (format > formatVersion) {
    throw refuse(`has log format ${format}; this version of Sotto reads up to ${formatVersion}`);
  }
  const count = metadata?.["sotto-streams"];
  if (count !== String(streamCount)) {
    throw refuse(`is one of ${count}, but ${streamCount} are configured: move the log first`);
  }
  if (!allow_atomic || !allow_direct) throw refuse("lacks allow_atomic or allow_direct");
  return parseIncarnation(incarnation);
}

async function create(
  manager: JetStreamManager,
  name: string,
  index: number,
  subjects: Subjects,
  limits: StreamLimits,
): Promise<StreamInfo> {
  const config: Partial<StreamConfig> & { name: string } = {
    name,
    subjects: [subjects.stored(index)],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_bytes: limits.streamBytesMax,
    num_replicas: limits.replicas,
    duplicate_window: idempotencyWindowMs * 1_000_000,
    allow_direct: true,
    allow_atomic: true,
    deny_delete: true,
    republish: { src: subjects.republished(index), dest: subjects.live(index) },
    metadata: {
      "sotto-format": String(formatVersion),
      "sotto-incarnation": randomBytes(16).toString("hex"),
      "sotto-streams": String(subjects.streamCount),
    },
  };
  try {
    return await manager.streams.add(config);
  } catch (error) {
    // Another process was faster: its incarnation is the stream's.
    const info = await streamInfo(manager, name);
    if (info) return info;
    throw error;
  }
}
