import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Roster } from "@sotto/identity";
import {
  type DeviceId,
  fromHex,
  type RoomId,
  toHex,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { type HistoryShare, HistoryShareSchema } from "@sotto/protocol/content";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";

/** What a device knows of who lacks what of a room, and who was told. Sequences; 0 for never. */
export interface Telling {
  /** What stands before this one is not here: the device entered there. */
  readonly missing: number;
  /** The last record that let somebody in who was not in the room before. */
  readonly newcomers: number;
  /** Up to where newcomers were told. */
  readonly told: number;
  /** Since when the room's policy is what it is, as far as this device saw. */
  readonly policyFrom: number;
}

export const nothingTold: Telling = { missing: 0, newcomers: 0, told: 0, policyFrom: 0 };

/** True where somebody came to whom nobody has told yet what was said before. */
export function isOwed({ newcomers, told }: Telling): boolean {
  return newcomers > told;
}

/** A handshake record as `afterHandshake` looks at it. */
interface Arrivals {
  readonly sequence: number;
  readonly added: readonly { readonly user: UserId; readonly device: DeviceId }[];
  /** Who is in the room after it; `undefined` where this device does not know. */
  readonly roster: Roster | undefined;
  readonly own: { readonly user: UserId; readonly device: DeviceId };
  readonly policyChanged: boolean;
}

/** Takes into account who came in by an ADD: further devices of somebody who was there are no newcomers. */
export function afterHandshake(before: Telling, arrivals: Arrivals): Telling {
  const { sequence, added, roster, own, policyChanged } = arrivals;
  const after = policyChanged ? { ...before, policyFrom: sequence } : before;
  const devices = new Set(added.map(({ device }) => device));
  const present = new Set<UserId>();
  for (const { user, device } of roster?.devices.values() ?? [])
    if (!devices.has(device)) present.add(user);
  const fresh = added.filter(({ user }) => !present.has(user));
  if (fresh.length === 0) return after;
  return fresh.some(({ device }) => device === own.device)
    ? { ...after, missing: sequence }
    : { ...after, newcomers: sequence };
}

/** The newest share of a room's history that came, as stored. */
export interface KeptShare {
  readonly sender: UserId;
  readonly sequence: number;
  readonly share: HistoryShare;
}

/** Takes a share into account: it covers at most what stands before it. */
export function afterShare(before: Telling, sequence: number, share: HistoryShare): Telling {
  let upTo = 0;
  try {
    upTo = toSafeNumber(share.upTo);
  } catch {
    return before;
  }
  return { ...before, told: Math.max(before.told, Math.min(upTo, sequence - 1)) };
}

export function shareChange(room: RoomId, { sender, sequence, share }: KeptShare): StoreChange {
  const encoded = toHex(toBinary(HistoryShareSchema, share));
  const json = { version: 1, sender, sequence, share: encoded };
  return { table: "history-shares", key: room, value: utf8(JSON.stringify(json)) };
}

export async function keptShare(store: ProfileStore, room: RoomId): Promise<KeptShare | undefined> {
  const stored = await store.get("history-shares", room);
  if (!stored) return undefined;
  const { sender, sequence, share } = JSON.parse(textOf(stored));
  return { sender, sequence, share: fromBinary(HistoryShareSchema, fromHex(share)) };
}
