import { type AppendRequest, LogError } from "../log.ts";
import type { LogState, PlacedRecord } from "./log-state.ts";
import { encodeRecord, recordBytes, type StoredRecord } from "./record-format.ts";

/** One thing to be ordered: a record, or the removal of a topic. */
export type Change =
  | { readonly type: "append"; readonly request: AppendRequest }
  | { readonly type: "remove"; readonly topic: string };

/** What became of a change once the batch is durable: a sequence, or the refusal. */
export type Outcome = { readonly sequence: number; readonly duplicate: boolean } | LogError;

/** Changes in their order, with the bytes that make them durable. */
export interface Batch {
  readonly bytes: Buffer;
  readonly records: readonly PlacedRecord[];
  /** One for each change, in the same order. */
  readonly outcomes: readonly Outcome[];
}

export interface BatchPlace {
  readonly segment: number;
  readonly syncedBytes: number;
  readonly nowMs: number;
}

interface TopicHeads {
  handshake: number;
  message: number;
}

/**
 * Orders changes after the durable state, each against those before it in the same batch: a
 * message behind a commit is `STALE`. Changes nothing, so a batch that cannot be written is
 * simply forgotten.
 */
export function orderBatch(state: LogState, changes: readonly Change[], place: BatchPlace): Batch {
  const heads = new Map<string, TopicHeads>();
  const keys = new Map<string, number>();
  const stored: StoredRecord[] = [];
  const outcomes: Outcome[] = [];
  let sequence = state.lastSequence;
  let total = 0;
  const store = (record: Omit<StoredRecord, "sequence" | "atMs" | "syncedBytes">): number => {
    sequence++;
    const whole = { ...record, sequence, atMs: place.nowMs, syncedBytes: place.syncedBytes };
    stored.push(whole);
    total += recordBytes(whole);
    return sequence;
  };

  for (const change of changes) {
    if (change.type === "remove") {
      const { topic } = change;
      heads.set(topic, { handshake: 0, message: 0 });
      const tombstone = { kind: "h", previous: 0, handshake: 0, key: "", data: nothing } as const;
      outcomes.push({ sequence: store({ ...tombstone, type: "remove", topic }), duplicate: false });
      continue;
    }
    const { topic, kind, key, expectHandshake, data } = change.request;
    const first = keys.get(key) ?? state.keys.find(key, place.nowMs);
    if (first !== undefined) {
      outcomes.push({ sequence: first, duplicate: true });
      continue;
    }
    const head = heads.get(topic) ?? headsOf(state, topic);
    if (expectHandshake !== head.handshake) {
      outcomes.push(stale(head.handshake));
      continue;
    }
    if (state.keys.isFull(place.nowMs, keys.size)) {
      outcomes.push(new LogError("UNAVAILABLE", "too many keys within the idempotency window"));
      continue;
    }
    const previous = kind === "h" ? head.handshake : head.message;
    const own = store({
      type: "append",
      kind,
      topic,
      key,
      previous,
      handshake: expectHandshake,
      data,
    });
    heads.set(topic, head);
    if (kind === "h") head.handshake = own;
    else head.message = own;
    keys.set(key, own);
    outcomes.push({ sequence: own, duplicate: false });
  }
  return { ...encode(stored, total, place), outcomes };
}

const nothing = new Uint8Array(0);

function stale(handshake: number): LogError {
  return new LogError("STALE", "another handshake record came first", { handshake });
}

function headsOf(state: LogState, topic: string): TopicHeads {
  const index = state.topics.get(topic);
  return { handshake: index?.handshake ?? 0, message: index?.message ?? 0 };
}

function encode(
  stored: readonly StoredRecord[],
  total: number,
  place: BatchPlace,
): { bytes: Buffer; records: PlacedRecord[] } {
  // Not from the pool: readers keep views of it.
  const bytes = Buffer.allocUnsafeSlow(total);
  let at = 0;
  const records = stored.map((record) => {
    const end = encodeRecord(record, bytes, at);
    const data = bytes.subarray(end - record.data.length, end);
    const offset = place.syncedBytes + at;
    const placed = { record: { ...record, data }, segment: place.segment, offset, bytes: end - at };
    at = end;
    return placed;
  });
  return { bytes, records };
}
