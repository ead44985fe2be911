import { type Event, PresenceState, parseUserId, type UserId } from "@sotto/protocol";
import type { LiveEvents, PresenceWord } from "./events.ts";

const words: Record<number, PresenceWord> = {
  [PresenceState.ONLINE]: "online",
  [PresenceState.IDLE]: "idle",
  [PresenceState.OFFLINE]: "offline",
};

/** Who is here, as the server last said. Empty while this device is not connected. */
export class PresenceView {
  readonly #states = new Map<UserId, PresenceWord>();
  readonly #events: LiveEvents;
  #known = false;

  constructor(events: LiveEvents) {
    this.#events = events;
  }

  /** True once the server has said who is here on this connection. */
  get known(): boolean {
    return this.#known;
  }

  /** A new connection, or none that sees: what was said before does not hold. */
  forget(): void {
    this.#known = false;
  }

  /** Everybody who is not offline. */
  present(): ReadonlyMap<UserId, PresenceWord> {
    return this.#states;
  }

  take(event: Event): void {
    if (event.body.case === "presenceChanged") {
      this.#set(parseUserId(event.body.value.user), words[event.body.value.state] ?? "offline");
    }
    if (event.body.case === "presenceSnapshot") {
      this.#known = true;
      const here = new Map(
        event.body.value.states.map(
          ({ user, state }) => [parseUserId(user), words[state] ?? "offline"] as const,
        ),
      );
      for (const user of [...this.#states.keys()]) if (!here.has(user)) this.#set(user, "offline");
      for (const [user, state] of here) this.#set(user, state);
    }
  }

  #set(user: UserId, state: PresenceWord): void {
    if ((this.#states.get(user) ?? "offline") === state) return;
    if (state === "offline") this.#states.delete(user);
    else this.#states.set(user, state);
    this.#events.emit({ type: "presence", user, state });
  }
}
