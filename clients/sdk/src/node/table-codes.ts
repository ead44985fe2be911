import type { StoreTable } from "../ports/profile-store.ts";

/** What a table is called in `profile.db`, where the name would stand in every row. Never given to another table. */
export const tableCodes: Readonly<Record<StoreTable, number>> = {
  meta: 1,
  directory: 2,
  rooms: 3,
  groups: 4,
  ratchets: 5,
  history: 6,
  "history-index": 7,
  remembered: 8,
  "archive-queue": 9,
  "archive-keys": 10,
  "history-shares": 11,
  outbox: 12,
  "key-packages": 13,
  media: 14,
  uploads: 15,
  senders: 16,
  aside: 17,
  sent: 18,
};

const names = new Map(
  Object.entries(tableCodes).map(([name, code]) => [code, name as StoreTable] as const),
);

/** The table of a code. Throws `RangeError` where there is none. */
export function tableOf(code: number): StoreTable {
  const name = names.get(code);
  if (!name) throw new RangeError(`no table has the code ${code}`);
  return name;
}
