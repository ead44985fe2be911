import type { RoomState } from "./room-state.ts";

/** A device renews its keys in a group after this time, or after so many messages of its own. */
const renewAfterMs = 7 * 24 * 3_600_000;
const renewAfterMessages = 500;
/** Somebody who says a lot does not change the room's epoch all the time. */
const renewNotBeforeMs = 600_000;
/** Devices that came in together do not all renew at once. */
const spread = 0.1;

/** True where this device should renew its keys in the room. `chance`: from 0 to 1, drawn anew each time. */
export function shouldRenew(
  { renewed, senderSequence }: Pick<RoomState, "renewed" | "senderSequence">,
  now: number,
  chance: number,
): boolean {
  const ageMs = now - renewed.at;
  if (ageMs < renewNotBeforeMs) return false;
  const late = 1 + spread * chance;
  return ageMs > renewAfterMs * late || senderSequence - renewed.sent > renewAfterMessages * late;
}
