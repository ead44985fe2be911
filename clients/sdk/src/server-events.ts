import {
  type Event,
  parseDeviceId,
  parseRoomId,
  parseUserId,
  SignalKind,
  toSafeNumber,
} from "@sotto/protocol";
import type { Connection } from "./connection/connection.ts";
import type { LiveEvents } from "./events.ts";
import type { PresenceView } from "./presence.ts";
import type { RoomContext } from "./rooms/room-context.ts";
import type { Rooms } from "./rooms/rooms.ts";

/** Acts on what the server says unasked. Hints only: what one of them misses is found again by asking. */
export class ServerEvents {
  readonly #context: RoomContext;
  readonly #rooms: Rooms;
  readonly #live: LiveEvents;
  readonly #presence: PresenceView;

  constructor(parts: {
    context: RoomContext;
    rooms: Rooms;
    live: LiveEvents;
    presence: PresenceView;
  }) {
    this.#context = parts.context;
    this.#rooms = parts.rooms;
    this.#live = parts.live;
    this.#presence = parts.presence;
  }

  take(connection: Connection, event: Event): void {
    const { body } = event;
    this.#presence.take(event);
    switch (body.case) {
      case "directoryGrew":
        void this.#context.directory
          .sync(connection, toSafeNumber(body.value.size))
          .catch(() => {});
        return;
      case "disabledChanged":
        void this.#context.disabled
          .refresh(connection)
          .then(() => this.#rooms.wakeUpkeep())
          .catch(() => {});
        return;
      case "grantsChanged":
        this.#rooms.wakeUpkeep();
        return;
      case "roomEntered":
        void this.#rooms
          .entered(connection, parseRoomId(body.value.room), toSafeNumber(body.value.sequence))
          .catch((error) => this.#live.emit({ type: "notice", text: String(error) }));
        return;
      case "roomInterrupted":
        this.#rooms.interrupted(connection, parseRoomId(body.value.room));
        return;
      case "signalReceived": {
        const { room, user, kind, device } = body.value;
        if (parseDeviceId(device) === this.#context.profile.device) return;
        this.#live.emit({
          type: "typing",
          room: parseRoomId(room),
          user: parseUserId(user),
          typing: kind === SignalKind.TYPING,
        });
        return;
      }
      default:
        return;
    }
  }
}
