import type { Clock } from "@sotto/clock";
import { LiveInbox } from "./live-inbox.ts";
import { type Incarnation, type Log, LogError, type LogRecord, type Topic } from "./log.ts";

export interface FollowRequest {
  readonly topic: Topic;
  /** Records with a sequence greater than this one. 0 begins at the beginning. */
  readonly after: number;
  /** Of the position `after`; without it, the log's present one. */
  readonly incarnation?: Incarnation;
  readonly clock: Clock;
  /** How often to ask for the head, so that a lost last record is found too. Default 5,000. */
  readonly headCheckMs?: number;
  /** Live records held while their consumer is busy; over it they are read again. Default 1,024. */
  readonly heldRecordsMax?: number;
  /** Bytes of those. Default 4 MiB. */
  readonly heldBytesMax?: number;
}

const readRecords = 256;
const retryMs = 100;
/** How long a record that was announced may stay unreadable, on a replica that lags. */
const announcedRetryMs = 20;
const announcedRetries = 25;

/**
 * Every record of a topic after a position, once each and in order, for as long as the signal
 * lasts: what `live` missed is read. While the log is `UNAVAILABLE` it tries again. Throws
 * `LOG_RESET` when the position is of no use any more, `CORRUPT`, and the signal's reason.
 * A consumer that is slow is waited for; what it holds up is bounded and read again later.
 */
export async function* follow(
  log: Log,
  request: FollowRequest,
  signal: AbortSignal,
): AsyncGenerator<LogRecord, never, void> {
  for await (const batch of followBatches(log, request, signal)) yield* batch;
  throw signal.reason;
}

/** `follow` with a callback, for one that must not wait per record. Settles only by rejecting. */
export async function tail(
  log: Log,
  request: FollowRequest,
  signal: AbortSignal,
  deliver: (record: LogRecord) => void,
): Promise<never> {
  for await (const batch of followBatches(log, request, signal)) {
    for (const record of batch) deliver(record);
  }
  throw signal.reason;
}

/** `follow`, with records that came together in one array, which is never empty. */
export async function* followBatches(
  log: Log,
  request: FollowRequest,
  signal: AbortSignal,
): AsyncGenerator<readonly LogRecord[], void, void> {
  const { topic, clock, heldRecordsMax = 1024, heldBytesMax = 4 * 1024 * 1024 } = request;
  const inbox = new LiveInbox(heldRecordsMax, heldBytesMax);
  const retry = <T>(work: () => Promise<T>) => untilAvailable(work, clock, signal);
  await using live = await retry(() => log.live(topic, (record) => inbox.push(record)));
  void live;
  const incarnation = request.incarnation ?? (await retry(() => log.head(topic))).incarnation;
  using headCheck = periodically(clock, request.headCheckMs ?? 5000, () => inbox.wake());
  let cursor = request.after;
  let isBehind = true;
  let announced = 0;
  let attempts = 0;
  for (;;) {
    signal.throwIfAborted();
    if (isBehind) {
      const read = { topic, after: cursor, incarnation, limit: readRecords };
      const records = await retry(() => log.read(read));
      cursor = records.at(-1)?.sequence ?? cursor;
      if (records.length > 0) {
        attempts = 0;
        yield records;
      }
      // An answer may be cut by its size, so only an empty one tells the end.
      isBehind = records.length > 0;
      if (!isBehind && cursor < announced && attempts < announcedRetries) {
        attempts++;
        isBehind = true;
        await clock.sleep(announcedRetryMs, signal);
      }
      continue;
    }
    const { records, overflowed } = inbox.take();
    const { fresh, isWhole } = fittingPrefix(records, cursor);
    for (const { sequence } of records) announced = Math.max(announced, sequence);
    attempts = 0;
    cursor = fresh.at(-1)?.sequence ?? cursor;
    if (fresh.length > 0) yield fresh;
    isBehind = overflowed || !isWhole;
    if (isBehind || records.length > 0) continue;
    if (headCheck.isDue()) {
      const head = await retry(() => log.head(topic));
      if (head.incarnation !== incarnation) throw new LogError("LOG_RESET", "the log was replaced");
      isBehind = head.last > cursor;
    } else await inbox.wait(signal);
  }
}

/**
 * The new records before which nothing is missing, given that all up to `cursor` are there. A message
 * tells its predecessor and the handshake record before it. A handshake record tells nothing of
 * the messages before it, so only an adjacent one is sure.
 */
function fittingPrefix(
  records: readonly LogRecord[],
  cursor: number,
): { readonly fresh: readonly LogRecord[]; readonly isWhole: boolean } {
  const fresh: LogRecord[] = [];
  let reached = cursor;
  for (const record of records) {
    // Delivered already, by a read or by an earlier announcement.
    if (record.sequence <= reached) continue;
    const fits =
      record.kind === "m"
        ? record.previous <= reached && record.handshake <= reached
        : record.sequence === reached + 1;
    if (!fits) return { fresh, isWhole: false };
    fresh.push(record);
    reached = record.sequence;
  }
  return { fresh, isWhole: true };
}

async function untilAvailable<T>(
  work: () => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "UNAVAILABLE") throw error;
      await clock.sleep(retryMs, signal);
    }
  }
}

/** Becomes due every period, once; asking clears it. */
function periodically(clock: Clock, periodMs: number, wake: () => void) {
  let due = false;
  const timer = clock.every(periodMs, () => {
    due = true;
    wake();
  });
  return {
    isDue: () => {
      const was = due;
      due = false;
      return was;
    },
    [Symbol.dispose]: () => timer.cancel(),
  };
}
