import type { DirectoryHead } from "@sotto/identity";
import { fromHex, toHex } from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";

const key = "owed-head";

/**
 * Remembers the head that the device which linked this one vouches for, until the server's directory was held against
 * it; `undefined` forgets it.
 */
export function owedHeadChange(head: DirectoryHead | undefined): StoreChange {
  const json = head && { version: 1, size: head.size, root: toHex(head.root) };
  return { table: "meta", key, value: json && utf8(JSON.stringify(json)) };
}

/** The head that the server's directory has not been held against yet. */
export async function owedHead(store: ProfileStore): Promise<DirectoryHead | undefined> {
  const bytes = await store.get("meta", key);
  if (!bytes) return undefined;
  const { size, root } = JSON.parse(textOf(bytes));
  return { size, root: fromHex(root) };
}
