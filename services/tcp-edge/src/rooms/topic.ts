import type { Topic } from "@sotto/log";
import type { RoomId } from "@sotto/protocol";

/** The log's topic of a room: its id, which is hex already. */
export function topicOf(room: RoomId): Topic {
  return room as string as Topic;
}
