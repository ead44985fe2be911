import type { UserId } from "@sotto/protocol";
import type { Availability, StateChange } from "./availability.ts";
import type { PresenceTable } from "./presence-table.ts";

/**
 * What people were told last, by this replica or by the one that spoke before. The difference to
 * the table is what still has to be said, so that a takeover misses nothing and repeats nothing.
 */
export class Announcements {
  readonly #told = new Map<UserId, Availability>();

  /** People were told so. */
  told({ user, state }: StateChange): void {
    if (state === undefined) this.#told.delete(user);
    else this.#told.set(user, state);
  }

  isNews({ user, state }: StateChange): boolean {
    return this.#told.get(user) !== state;
  }

  /** All that the table knows otherwise than people were told. */
  differences(table: PresenceTable): StateChange[] {
    const users = new Set([...table.users(), ...this.#told.keys()]);
    return [...users]
      .map((user) => ({ user, state: table.stateOf(user) }))
      .filter((change) => this.isNews(change));
  }

  /** Another replica spoke all the while: people know what the table knows. */
  adopt(table: PresenceTable): void {
    this.#told.clear();
    for (const user of table.users()) this.told({ user, state: table.stateOf(user) });
  }
}
