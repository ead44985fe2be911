import type { RoomId } from "@sotto/protocol";
import { textOf, utf8 } from "./bytes.ts";
import type { LiveEvents } from "./events.ts";
import type { History } from "./history/history.ts";
import type { ProfileStore, StoreChange } from "./ports/profile-store.ts";

const alertsKey = "alerts";
/** Of more alerts that nobody read the newest are kept; all of them stand in the rooms' history, too. */
const alertsMax = 20;

/**
 * What people should read also where nobody listened when it happened: of a room, which becomes a line of its
 * history; of the account, which is kept until it was told.
 */
export class Notices {
  readonly #store: ProfileStore;
  readonly #live: Pick<LiveEvents, "emit">;
  /** Of rooms, until they are stored. */
  readonly #waiting = new Map<RoomId, string[]>();
  /** The last of each room: the same again and again is one line. */
  readonly #last = new Map<RoomId, string>();
  #alerts: readonly string[];

  private constructor(
    store: ProfileStore,
    live: Pick<LiveEvents, "emit">,
    alerts: readonly string[],
  ) {
    this.#store = store;
    this.#live = live;
    this.#alerts = alerts;
  }

  static async open(store: ProfileStore, live: Pick<LiveEvents, "emit">): Promise<Notices> {
    const stored = await store.get("meta", alertsKey);
    return new Notices(store, live, stored ? JSON.parse(textOf(stored)) : []);
  }

  /** Something happened in a room: told now, and a line of its history with the room's next commit. */
  keep(room: RoomId, text: string): void {
    const again = this.#last.get(room) === text;
    this.#live.emit({ type: "notice", room, text, kept: true });
    if (again) return;
    this.#last.set(room, text);
    this.#waiting.set(room, [...(this.#waiting.get(room) ?? []), text]);
  }

  /** What belongs into the commit of a room that was read up to `sequence`. */
  changesFor(
    history: Pick<History, "changesFor">,
    room: RoomId,
    sequence: number,
  ): readonly StoreChange[] {
    const texts = this.#waiting.get(room) ?? [];
    this.#waiting.delete(room);
    return texts.flatMap((text) => history.changesFor({ type: "notice", room, sequence, text }));
  }

  /** Something happened to the account: told now, and kept by the change that it answers. */
  alert(text: string): StoreChange {
    this.#alerts = [...this.#alerts, text].slice(-alertsMax);
    this.#live.emit({ type: "notice", text, kept: true });
    return this.#change();
  }

  /** Hands over what was not told yet, oldest first; what `tell` rejects on is told the next time. */
  async tellAlerts(tell: (text: string) => Promise<void>): Promise<void> {
    const texts = this.#alerts;
    if (texts.length === 0) return;
    this.#alerts = [];
    try {
      for (const text of texts) await tell(text);
    } catch (error) {
      this.#alerts = [...texts, ...this.#alerts].slice(-alertsMax);
      throw error;
    }
    await this.#store.commit([this.#change()]);
  }

  #change(): StoreChange {
    const value = this.#alerts.length > 0 ? utf8(JSON.stringify(this.#alerts)) : undefined;
    return { table: "meta", key: alertsKey, value };
  }
}
