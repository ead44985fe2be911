import type { ScanRange, StoreTable } from "./profile-store.ts";

/**
 * What the keys of a table look like, and which ranges of it are asked for. A store on a disk hides names and
 * keeps numbers in the clear: so it can scan in order what is large, and says little.
 *
 * "orders": `n` or `n.m.name`, where n and m are numbers with leading zeros, of one length each. Any range.
 * "groups": `name#n` is scanned within one name (`prefix` holds the `#`); all else only by single keys.
 * "names": anything. Any range; a store may read the whole table for the first one, so it is for small tables,
 * and for those that are never scanned.
 */
export type KeyForm = "orders" | "groups" | "names";

export const keyForms: Readonly<Record<StoreTable, KeyForm>> = {
  meta: "names",
  directory: "orders",
  rooms: "names",
  groups: "names",
  ratchets: "names",
  history: "orders",
  "history-index": "groups",
  remembered: "orders",
  "archive-queue": "orders",
  "archive-keys": "names",
  "history-shares": "names",
  outbox: "names",
  "key-packages": "names",
  media: "names",
  uploads: "names",
  senders: "names",
  aside: "names",
  sent: "names",
};

const ordersKey = /^(\d{10,16}(?:\.\d{10,16}(?=\.))?)(?:\.([\x20-\x7e]+))?$/;
const groupsKey = /^([^#]+)#(\d{10,16})$/;

/** A key of orders: its numbers, and the name behind them or "". Throws `RangeError` where it is none. */
export function orderParts(key: string): { readonly numbers: string; readonly name: string } {
  const [, numbers, name = ""] = ordersKey.exec(key) ?? [];
  if (numbers === undefined || numbers.includes(".") !== (name !== ""))
    throw new RangeError("a key of orders is n or n.m.name");
  return { numbers, name };
}

/** A key of groups that stands in one. */
export function groupParts(
  key: string,
): { readonly group: string; readonly number: string } | undefined {
  const [, group, number] = groupsKey.exec(key) ?? [];
  return group === undefined || number === undefined ? undefined : { group, number };
}

/** Throws `RangeError` where a key is none of its table. */
export function checkKey(table: StoreTable, key: string): void {
  if (!/^[\x20-\x7e]{1,1000}$/.test(key)) throw new RangeError("a key is 1 to 1,000 characters");
  if (keyForms[table] === "orders") orderParts(key);
}

/** The one name that a range of groups is about. Throws `RangeError` where there is none, or a key is of another. */
export function groupOf(table: StoreTable, { prefix = "", after }: ScanRange): string {
  const [, name] = /^([^#]+)#\d*$/.exec(prefix) ?? [];
  if (name === undefined || (after !== undefined && !after.startsWith(`${name}#`)))
    throw new RangeError(`a range of ${table} is one of a group`);
  return name;
}

/** Throws `RangeError` where a range may not be asked of a table. */
export function checkRange(table: StoreTable, range: ScanRange): void {
  if (keyForms[table] === "groups") groupOf(table, range);
  else if (range.after !== undefined && range.after !== "") checkKey(table, range.after);
}
