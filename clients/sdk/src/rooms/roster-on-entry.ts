import type { Roster } from "@sotto/identity";
import type { Group } from "@sotto/mls";
import { type DeviceId, toSafeNumber, type UserId } from "@sotto/protocol";
import { directPeople } from "./direct-people.ts";
import type { JudgedStep } from "./handshake-step.ts";
import { parsePolicy } from "./policy.ts";

/**
 * Who is in the room that this device comes into with this record, by the group itself: the server's word is
 * not needed. What was known before of those who are there stays.
 */
export async function rosterOnEntry(
  step: JudgedStep,
  group: Group,
  before: Roster | undefined,
): Promise<Roster> {
  const { context, state, envelope, sequence, recordSha256 } = step;
  const own = context.profile;
  const policy = parsePolicy(group.policy);
  const members = group.members().map(({ user, device }) => ({
    user: user as UserId,
    device: device as DeviceId,
    entered:
      device === own.device
        ? sequence
        : (before?.devices.get(device as DeviceId)?.entered ?? sequence),
  }));
  const users = new Set(members.map(({ user }) => user));
  const known = [
    ...(before?.former ?? []),
    ...[...(before?.devices.values() ?? [])].map(({ user }) => user),
  ];
  const direct = (await directPeople(context, state.room, users)) ?? before?.direct ?? [];
  return {
    room: state.room,
    foldedTo: sequence,
    headHash: recordSha256,
    epoch: toSafeNumber(envelope.epoch),
    directorySize: toSafeNumber(envelope.directorySize),
    devices: new Map(members.map((member) => [member.device, member])),
    admins: policy.admins,
    former: [...new Set(known)].filter((user) => !users.has(user)),
    direct,
  };
}
