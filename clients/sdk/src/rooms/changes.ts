import type { Group } from "@sotto/mls";
import { type DeviceId, EnvelopeKind, fromHex, limits, type UserId } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import type { Change } from "./committer.ts";
import type { DisabledPeople } from "./disabled-people.ts";
import type { LeafName } from "./envelopes.ts";
import { judgeAt } from "./judge.ts";
import { encodePolicy, type HistoryWord, parsePolicy } from "./policy.ts";
import type { RoomReplica } from "./room-replica.ts";

/** Adds devices, at most `limits.addedDevicesMax` of them, whose KeyPackages the server hands out. */
export async function addDevices(
  room: RoomReplica,
  connection: Connection,
  group: Group,
  wanted: readonly LeafName[],
): Promise<Change | undefined> {
  const present = new Set(group.members().map((member) => member.device));
  const missing = wanted
    .filter(({ device }) => !present.has(device))
    .slice(0, limits.addedDevicesMax);
  if (missing.length === 0) return undefined;
  const devices = missing.map(({ device }) => fromHex(device));
  const claimed = await connection.request(
    { case: "claimKeyPackages", value: { users: [], devices } },
    "keyPackageList",
  );
  const { mls, directory, checks } = room.context;
  const judge = judgeAt(room.context, directory.size);
  const usable: { leaf: LeafName; keyPackage: Uint8Array }[] = [];
  let strange = 0;
  for (const { keyPackage } of claimed.packages) {
    const read = await mls.readKeyPackage(keyPackage);
    const leaf =
      missing.find(({ device }) => device === read.identity.device) ??
      (checks.keyPackage ? undefined : missing[usable.length]);
    // A package that is for another device, uncertified or out of its time is not used, whoever sent it.
    const now = room.context.clock.now();
    const good =
      leaf?.user === read.identity.user &&
      judge(read.identity, read.signaturePublicKey) &&
      now >= read.notBefore &&
      now <= read.notAfter;
    if (!leaf || (checks.keyPackage && !good)) strange++;
    else usable.push({ leaf, keyPackage });
  }
  if (strange > 0)
    room.context.notice(
      room.room,
      "the server handed out keys that are not those of the device that they were asked for, or are out of their time; they were not used",
    );
  if (usable.length === 0) return undefined;
  return {
    kind: EnvelopeKind.ADD,
    added: usable.map(({ leaf }) => leaf),
    stage: (current) =>
      current.stageAdd(
        usable.map(({ keyPackage }) => keyPackage),
        judge,
      ),
  };
}

/** Removes the devices of a group that are unwanted, with the server's word for those whom anybody may remove. */
export function removeDevices(
  group: Group,
  unwanted: (member: LeafName) => boolean,
  disabled?: DisabledPeople,
): Change | undefined {
  const removed = group
    .members()
    .map((member) => ({ user: member.user as UserId, device: member.device as DeviceId }))
    .filter(unwanted);
  if (removed.length === 0) return undefined;
  return {
    kind: EnvelopeKind.REMOVE,
    removed,
    disabled: [...new Set(removed.map(({ user }) => user))].flatMap(
      (user) => disabled?.get(user)?.signed ?? [],
    ),
    stage: (current) => current.stageRemove(removed.map(({ device }) => device)),
  };
}

/** Changes what the room's policy says of history; its admins stay. */
export function changeHistoryPolicy(group: Group, history: HistoryWord): Change | undefined {
  const before = parsePolicy(group.policy);
  if (before.history === history) return undefined;
  const policy = encodePolicy({ ...before, history });
  return { kind: EnvelopeKind.POLICY, policy, stage: (current) => current.stagePolicy(policy) };
}
