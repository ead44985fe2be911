import type { UserId } from "@sotto/protocol";
import { textOf, utf8 } from "./bytes.ts";
import type { ProfileStore, StoreChange } from "./ports/profile-store.ts";

/** Whether this person compared the safety number with somebody, and whether it is the same one still. */
export type Verified = "yes" | "no" | "changed";

const keyOf = (user: UserId) => `verified/${user}`;

/** The change that remembers the number that was compared. */
export function verifiedChange(user: UserId, number: string, at: number): StoreChange {
  return { table: "meta", key: keyOf(user), value: utf8(JSON.stringify({ number, at })) };
}

/** "changed" where another number was compared: an identity began anew since. */
export async function verifiedState(
  store: Pick<ProfileStore, "get">,
  user: UserId,
  number: string,
): Promise<Verified> {
  const bytes = await store.get("meta", keyOf(user));
  if (!bytes) return "no";
  return JSON.parse(textOf(bytes)).number === number ? "yes" : "changed";
}
