import { hash } from "node:crypto";
import type { Appended, Log, LogRecord, Topic } from "@sotto/log";
import type { DeviceId, UserId } from "@sotto/protocol";
import type { ReaderPosition } from "../session/reader-position.ts";
import { checkPosition } from "./check-position.ts";

export interface ArchivesOptions {
  readonly log: Log;
  /** Bytes of records in one page; the page is cut before it would be larger. */
  readonly pageBytesMax: number;
}

export interface ArchivePart {
  readonly incarnation: string;
  readonly records: readonly LogRecord[];
  /** The archive's last sequence. */
  readonly head: number;
}

/**
 * What each person's devices keep for each other, in the log: one topic for each user, of messages without any
 * handshake record. Nobody else reads or writes it; what is in it is sealed.
 */
export class Archives {
  readonly #options: ArchivesOptions;

  constructor(options: ArchivesOptions) {
    this.#options = options;
  }

  /** Resolves when the record is durable. Rejects with `LogError`. Neither `id` nor `data` is kept beyond the call. */
  append(user: UserId, device: DeviceId, id: Uint8Array, data: Uint8Array): Promise<Appended> {
    const topic = archiveTopic(user);
    return this.#options.log.append({
      topic,
      kind: "m",
      key: hash("sha256", Buffer.concat([Buffer.from(topic + device, "hex"), id]), "hex"),
      expectHandshake: 0,
      data,
    });
  }

  /** Records after a position, at most `limit`. Rejects with `SottoError` LOG_RESET, or `LogError`. */
  async read(user: UserId, after: ReaderPosition, limit: number): Promise<ArchivePart> {
    const { log, pageBytesMax } = this.#options;
    const topic = archiveTopic(user);
    const head = await log.head(topic);
    await checkPosition(log, topic, after, head);
    const from = after.incarnation === "" ? 0 : after.sequence;
    const records = await log.read({ topic, after: from, limit, bytesMax: pageBytesMax });
    const last = Math.max(head.last, records.at(-1)?.sequence ?? from);
    return { incarnation: head.incarnation, records, head: last };
  }
}

/** SHA-256("sotto-archive-v1" || user). No room has such an id: a direct conversation's begins otherwise. */
export function archiveTopic(user: UserId): Topic {
  const named = Buffer.concat([Buffer.from("sotto-archive-v1"), Buffer.from(user, "hex")]);
  return hash("sha256", named, "hex") as Topic;
}
