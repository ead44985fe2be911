import type { RoomId, UserId } from "@sotto/protocol";
import type { NumberedEntry } from "./history/history-entry.ts";

/** Whether somebody is here: at the keyboard, away from it, or not connected. */
export type PresenceWord = "online" | "idle" | "offline";

/** What a client tells its program while it runs. */
export type ClientEvent =
  | NumberedEntry
  | { readonly type: "presence"; readonly user: UserId; readonly state: PresenceWord }
  | {
      readonly type: "typing";
      readonly room: RoomId;
      readonly user: UserId;
      readonly typing: boolean;
    }
  | { readonly type: "connection"; readonly state: "online" | "offline"; readonly reason?: string }
  /**
   * Something that a person may want to read. Never content. `kept`: of a room it is an entry of the history too; of
   * the account `DevicesDesk.tellAlerts` tells it.
   */
  | {
      readonly type: "notice";
      readonly room?: string;
      readonly text: string;
      readonly kept?: true;
    }
  /** Everything that was in the rooms when the client came online is in the history now. */
  | { readonly type: "ready" };

/** Events that are not kept: dropped for a reader that is this many behind. */
const pendingEventsMax = 10_000;

type LiveEvent = Exclude<ClientEvent, NumberedEntry>;

/** Hands events that are not kept to whoever iterates at the time. */
export class LiveEvents {
  readonly #readers = new Set<(event: LiveEvent) => void>();

  emit(event: LiveEvent): void {
    for (const push of this.#readers) push(event);
  }

  /** Begins at once; ends when the signal aborts. */
  subscribe(signal: AbortSignal): AsyncGenerator<LiveEvent, void, undefined> {
    const queue: LiveEvent[] = [];
    let wake: (() => void) | undefined;
    const push = (event: LiveEvent) => {
      if (queue.length >= pendingEventsMax) queue.shift();
      queue.push(event);
      wake?.();
    };
    this.#readers.add(push);
    const readers = this.#readers;
    const stop = () => wake?.();
    signal.addEventListener("abort", stop, { once: true });
    return (async function* () {
      try {
        while (!signal.aborted) {
          const event = queue.shift();
          if (event) yield event;
          else {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        }
      } finally {
        readers.delete(push);
        signal.removeEventListener("abort", stop);
      }
    })();
  }
}
