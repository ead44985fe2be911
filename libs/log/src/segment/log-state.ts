import type { KeyWindow } from "./key-window.ts";
import type { StoredRecord } from "./record-format.ts";
import { TopicIndex } from "./topic-index.ts";

/** A record with the segment that holds it and its place there. */
export interface PlacedRecord {
  readonly record: StoredRecord;
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
}

/** What the log knows in memory of its durable records. Rebuilt from the segments at start. */
export class LogState {
  readonly topics = new Map<string, TopicIndex>();
  readonly keys: KeyWindow;
  /** Sequence of the last durable record of all topics. */
  lastSequence = 0;

  constructor(keys: KeyWindow) {
    this.keys = keys;
  }

  /** Takes in a record that is durable, in order of sequence. */
  add(placed: PlacedRecord): void {
    const { record, segment, offset, bytes } = placed;
    this.lastSequence = record.sequence;
    if (record.type === "remove") {
      this.topics.delete(record.topic);
      return;
    }
    let topic = this.topics.get(record.topic);
    if (!topic) {
      topic = new TopicIndex();
      this.topics.set(record.topic, topic);
    }
    topic.add(record.kind, { sequence: record.sequence, segment, offset, bytes });
    this.keys.remember(record.key, record.sequence, record.atMs);
  }
}
