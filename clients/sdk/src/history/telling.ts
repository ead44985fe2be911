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
  /** Where the device entered, also once it was told what stands before. */
  readonly entered: number;
  /** The last record that let somebody in who was not in the room before. */
  readonly newcomers: number;
  /** Up to where newcomers were told, as those say who told them. */
  readonly told: number;
  /** Up to where they were told all that this device knows. */
  readonly good: number;
  /** The last share that came. */
  readonly last: number;
  /** The last share that was held against what this device knows. */
  readonly judged: number;
  /** Newcomers were told less than this device knows. */
  readonly short: boolean;
  /** Since when the room's policy is what it is, as far as this device saw. */
  readonly policyFrom: number;
}

export const nothingTold: Telling = {
  ...{ missing: 0, entered: 0, newcomers: 0, told: 0, good: 0, last: 0, judged: 0 },
  short: false,
  policyFrom: 0,
};

/** True where somebody came to whom nobody has told yet what was said before, or not all of it. */
export function isOwed({ newcomers, told, short }: Telling): boolean {
  return newcomers > told || short;
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
    ? { ...after, missing: sequence, entered: sequence }
    : { ...after, newcomers: sequence };
}

/** A share of a room's history that came, as stored. */
export interface KeptShare {
  readonly sender: UserId;
  readonly sequence: number;
  readonly share: HistoryShare;
  /** This device has taken from it what it can. */
  readonly taken?: boolean;
}

/** Up to where a share covers the room: at most what stands before it; 0 where it says nothing. */
export function coveredBy({ sequence, share }: Pick<KeptShare, "sequence" | "share">): number {
  try {
    return Math.min(toSafeNumber(share.upTo), sequence - 1);
  } catch {
    return 0;
  }
}

/** Takes a share into account. */
export function afterShare(before: Telling, sequence: number, share: HistoryShare): Telling {
  const told = Math.max(before.told, coveredBy({ sequence, share }));
  return { ...before, told, last: Math.max(before.last, sequence) };
}

/** What a device that holds a share against what it knows finds. */
export function afterJudging(before: Telling, kept: KeptShare, holdsAll: boolean): Telling {
  const after = { ...before, judged: Math.max(before.judged, kept.sequence) };
  const covered = coveredBy(kept);
  if (holdsAll) {
    const good = Math.max(before.good, covered);
    return { ...after, good, short: before.short && good < before.newcomers };
  }
  // Where an earlier one told them, one that tells less changes nothing.
  return { ...after, short: before.short || before.newcomers > before.good };
}

/** Keeps the newest share of each member, so that none of them takes the place of another's. */
export function shareChange(room: RoomId, kept: KeptShare): StoreChange {
  return rowOf(`${room}/${kept.sender}`, kept);
}

/** Keeps a share as the one that what comes later is added to. */
export function goodShareChange(room: RoomId, kept: KeptShare): StoreChange {
  return rowOf(`${room}!good`, kept);
}

/** The newest share of each member, the newest first. */
export async function keptShares(store: ProfileStore, room: RoomId): Promise<KeptShare[]> {
  const rows = await store.scan("history-shares", { prefix: `${room}/`, limit: 1000 });
  return rows.map(({ value }) => readRow(value)).sort((a, b) => b.sequence - a.sequence);
}

/** The newest share that held all that this device knew. */
export async function goodShare(store: ProfileStore, room: RoomId): Promise<KeptShare | undefined> {
  const stored = await store.get("history-shares", `${room}!good`);
  return stored && readRow(stored);
}

function rowOf(key: string, { sender, sequence, share, taken }: KeptShare): StoreChange {
  const encoded = toHex(toBinary(HistoryShareSchema, share));
  const json = { version: 1, sender, sequence, share: encoded, taken };
  return { table: "history-shares", key, value: utf8(JSON.stringify(json)) };
}

function readRow(value: Uint8Array): KeptShare {
  const { sender, sequence, share, taken } = JSON.parse(textOf(value));
  const read = { sender, sequence, share: fromBinary(HistoryShareSchema, fromHex(share)) };
  return taken === true ? { ...read, taken } : read;
}
