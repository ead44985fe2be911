import type { UserId } from "@sotto/protocol";
import { type Availability, bestOf, type StateChange } from "./availability.ts";
import type { EdgeLease } from "./edge-lease.ts";

/**
 * Every user's states by lease, and the best of them. Bounded: beyond `usersMax` a user who is
 * not known yet is left out, and `set` says so.
 */
export class UserStates {
  readonly #usersMax: number;
  readonly #byUser = new Map<UserId, Map<EdgeLease, Availability>>();
  /** States before the batch that is under way, of the users that it touched. */
  readonly #before = new Map<UserId, Availability | undefined>();

  constructor(usersMax: number) {
    this.#usersMax = usersMax;
  }

  get size(): number {
    return this.#byUser.size;
  }

  of(user: UserId): Availability | undefined {
    return bestOf(this.#byUser.get(user)?.values() ?? []);
  }

  /** Users who are online or idle. */
  users(): IterableIterator<UserId> {
    return this.#byUser.keys();
  }

  /** False where the user was left out because the table is full. */
  set(lease: EdgeLease, user: UserId, state: Availability | undefined): boolean {
    let states = this.#byUser.get(user);
    if (states?.get(lease) === state) return true;
    if (!states && this.#byUser.size >= this.#usersMax) return false;
    if (!this.#before.has(user)) this.#before.set(user, bestOf(states?.values() ?? []));
    if (!states) {
      states = new Map();
      this.#byUser.set(user, states);
    }
    if (state === undefined) {
      states.delete(lease);
      lease.users.delete(user);
      if (states.size === 0) this.#byUser.delete(user);
    } else {
      states.set(lease, state);
      lease.users.set(user, state);
    }
    return true;
  }

  /** Forgets all that a lease says. */
  drop(lease: EdgeLease): void {
    for (const user of [...lease.users.keys()]) this.set(lease, user, undefined);
  }

  /** Ends a batch: the users whose state is another than before it. */
  takeChanges(): StateChange[] {
    const changes: StateChange[] = [];
    for (const [user, before] of this.#before) {
      const state = this.of(user);
      if (state !== before) changes.push({ user, state });
    }
    this.#before.clear();
    return changes;
  }
}
