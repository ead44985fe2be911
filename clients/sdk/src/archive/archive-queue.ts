import { textOf, utf8 } from "../bytes.ts";
import { orderOf } from "../history/history-keys.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";

/**
 * The queue of the archive: orders of entries that are not known to be in it yet. A row holds one, or a run of numbers
 * one after another; then its value says how many. Rooms add rows at any time; only the archive takes some away,
 * one task after another.
 */

/** Orders of entries that were put between others are rows of their own. */
const wholeNumber = /^\d+$/;
const pageRows = 16;

interface Run {
  readonly first: number;
  readonly count: number;
}

function countOf(value: Uint8Array): number {
  return value.length === 0 ? 1 : Number(textOf(value));
}

function rowOf({ first, count }: Run): StoreChange {
  const value = count === 1 ? new Uint8Array() : utf8(String(count));
  return { table: "archive-queue", key: orderOf(first), value };
}

/** The same changes, with the orders that they queue as few rows. */
export function queuedInRuns(changes: readonly StoreChange[]): StoreChange[] {
  const others: StoreChange[] = [];
  const numbers: number[] = [];
  for (const change of changes) {
    const isQueued = change.table === "archive-queue" && change.value?.length === 0;
    if (isQueued && wholeNumber.test(change.key)) numbers.push(Number(change.key));
    else others.push(change);
  }
  return [...others, ...runsOf(numbers.sort((a, b) => a - b)).map(rowOf)];
}

/** Ascending numbers as runs. */
function runsOf(numbers: readonly number[]): Run[] {
  const runs: { first: number; count: number }[] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && number === last.first + last.count) last.count++;
    else runs.push({ first: number, count: 1 });
  }
  return runs;
}

/** The changes that queue those of these orders that are not queued already. */
export async function queuedAgain(
  store: ProfileStore,
  orders: readonly string[],
): Promise<StoreChange[]> {
  const changes: StoreChange[] = [];
  let run: Run | undefined;
  for (const key of orders) {
    if (wholeNumber.test(key)) {
      const number = Number(key);
      if (!run || number < run.first || number >= run.first + run.count)
        run = await runAround(store, number);
      if (run) continue;
    }
    changes.push({ table: "archive-queue", key, value: new Uint8Array() });
  }
  return changes;
}

/** The first orders of the queue, ascending. */
export async function readQueue(store: ProfileStore, limit: number): Promise<string[]> {
  const orders: string[] = [];
  for (const { key, value } of await store.scan("archive-queue", { limit })) {
    const count = countOf(value);
    for (let i = 0; i < count && orders.length < limit; i++)
      orders.push(i === 0 ? key : orderOf(Number(key) + i));
  }
  return orders.sort();
}

/** The changes that strike these orders, where they are queued. */
export async function struckFromQueue(
  store: ProfileStore,
  orders: readonly string[],
): Promise<StoreChange[]> {
  const changes: StoreChange[] = [];
  const numbers: number[] = [];
  for (const order of orders) {
    if (wholeNumber.test(order)) numbers.push(Number(order));
    else changes.push({ table: "archive-queue", key: order, value: undefined });
  }
  numbers.sort((a, b) => a - b);
  for (let at = 0; at < numbers.length; ) {
    const first = numbers[at] ?? 0;
    const run = await runAround(store, first);
    const end = run ? run.first + run.count : first + 1;
    const gone = new Set<number>();
    for (; at < numbers.length && (numbers[at] ?? end) < end; at++) gone.add(numbers[at] ?? end);
    if (!run) continue;
    changes.push({ table: "archive-queue", key: orderOf(run.first), value: undefined });
    const left: number[] = [];
    for (let number = run.first; number < end; number++) if (!gone.has(number)) left.push(number);
    changes.push(...runsOf(left).map(rowOf));
  }
  return changes;
}

/** The changes, with what they strike from the queue by itself struck from the runs that hold it. */
export async function withStruckRuns(
  store: ProfileStore,
  changes: readonly StoreChange[],
): Promise<StoreChange[]> {
  const isStrike = ({ table, value }: StoreChange) => table === "archive-queue" && !value;
  const orders = changes.filter(isStrike).map(({ key }) => key);
  if (orders.length === 0) return [...changes];
  const others = changes.filter((change) => !isStrike(change));
  return [...(await struckFromQueue(store, orders)), ...others];
}

/** The run that holds a number. */
async function runAround(store: ProfileStore, number: number): Promise<Run | undefined> {
  for (let after = orderOf(number + 1); ; ) {
    const range = { after, reverse: true, limit: pageRows };
    const page = await store.scan("archive-queue", range);
    for (const { key, value } of page) {
      after = key;
      if (!wholeNumber.test(key)) continue;
      const run = { first: Number(key), count: countOf(value) };
      return number < run.first + run.count ? run : undefined;
    }
    if (page.length < pageRows) return undefined;
  }
}
