import { fromBinary } from "@bufbuild/protobuf";
import type { Bus } from "@sotto/bus";
import { PresenceStateChangedSchema, subjects } from "@sotto/interservice";
import { PresenceState, parseUserId } from "@sotto/protocol";

/** What people are told, as "<first byte of the user> <STATE>", in order. */
export async function listenTo(bus: Bus): Promise<string[]> {
  const told: string[] = [];
  await bus.subscribe(subjects.presenceState, ({ data }) => {
    const { entry } = fromBinary(PresenceStateChangedSchema, data);
    if (entry) told.push(`${parseUserId(entry.user).slice(0, 2)} ${PresenceState[entry.state]}`);
  });
  return told;
}
