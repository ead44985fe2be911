import type { DirectoryHead } from "@sotto/identity";
import { fromHex, parseUserId, toHex, type UserId } from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";

const key = "owed-head";

/** The directory as whoever let this device in was shown it: the server owes this device the same one. */
export interface OwedHead extends DirectoryHead {
  /** Who invited; absent where another device of the same person linked this one. */
  readonly inviter?: {
    readonly user: UserId;
    /** SHA-256 of the last record of their chain within the head. */
    readonly chainHead: Uint8Array;
  };
}

/**
 * Remembers a head until the server's directory was held against it, also where the connection breaks before; `undefined`
 * forgets it.
 */
export function owedHeadChange(head: OwedHead | undefined): StoreChange {
  const inviter = head?.inviter && {
    user: head.inviter.user,
    chainHead: toHex(head.inviter.chainHead),
  };
  const json = head && { version: 1, size: head.size, root: toHex(head.root), inviter };
  return { table: "meta", key, value: json && utf8(JSON.stringify(json)) };
}

/** The head that the server's directory has not been held against yet. */
export async function owedHead(store: ProfileStore): Promise<OwedHead | undefined> {
  const bytes = await store.get("meta", key);
  if (!bytes) return undefined;
  const { size, root, inviter } = JSON.parse(textOf(bytes));
  const by = inviter && {
    user: parseUserId(inviter.user),
    chainHead: fromHex(inviter.chainHead),
  };
  return { size, root: fromHex(root), ...(by ? { inviter: by } : {}) };
}
