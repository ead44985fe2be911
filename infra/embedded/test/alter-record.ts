import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Flips a bit of a record's signature in a server's own database, behind its back; it may run meanwhile. */
export function alterRecord(data: string, position: number): void {
  using store = new DatabaseSync(join(data, "directory", "directory.db"));
  const row = store.prepare("SELECT bytes FROM records WHERE position = ?").get(position);
  if (!row) throw new Error(`the store has no record ${position}`);
  const bytes = (row["bytes"] as Uint8Array).slice();
  const at = bytes.length - 20;
  bytes[at] = bytes[at] === 65 ? 66 : 65;
  store.prepare("UPDATE records SET bytes = ? WHERE position = ?").run(bytes, position);
}
