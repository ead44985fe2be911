import type { UserId } from "@sotto/protocol";
import type { Availability, StateChange } from "./availability.ts";
import type { EdgeLease } from "./edge-lease.ts";
import type { PresenceLimits } from "./presence-limits.ts";
import { RetiredIncarnations } from "./retired-incarnations.ts";
import { UserStates } from "./user-states.ts";

/** An edge's whole table of users. */
export interface LeaseMessage {
  readonly edge: string;
  readonly incarnation: string;
  readonly version: number;
  readonly entries: readonly StateChange[];
  readonly ended: boolean;
}

/** One user's state at one edge. */
export interface ChangeMessage {
  readonly edge: string;
  readonly incarnation: string;
  readonly version: number;
  readonly entry: StateChange;
}

/** What a message did. */
export interface Applied {
  readonly changes: readonly StateChange[];
  readonly verdict:
    | "applied"
    /** Older than what is known, or of a life of the edge that is over. */
    | "stale"
    /** Something was missed, or the edge is not known: a lease is wanted. */
    | "gap"
    /** Left out, wholly or in part, at a bound. */
    | "full";
}

/**
 * Who is here, as all edges say it. No clock and no bus: every method takes the monotonic time
 * and answers whose state became another.
 *
 * A lease belongs to one life (incarnation) of an edge. When a lease of another life comes, the
 * life before is retired: late messages of it are ignored, and what it last said of a user holds
 * until the new life says something of that user, or until it would have died. So an edge that
 * restarts quickly makes nobody flicker.
 */
export class PresenceTable {
  readonly #limits: PresenceLimits;
  readonly #users: UserStates;
  readonly #current = new Map<string, EdgeLease>();
  /** Lives that were replaced and have not died yet. */
  readonly #ghosts = new Set<EdgeLease>();
  readonly #retired: RetiredIncarnations;

  constructor(limits: PresenceLimits) {
    this.#limits = limits;
    this.#users = new UserStates(limits.usersMax);
    this.#retired = new RetiredIncarnations(limits.retiredMax);
  }

  get edgeCount(): number {
    return this.#current.size;
  }

  get userCount(): number {
    return this.#users.size;
  }

  /** Undefined is offline. */
  stateOf(user: UserId): Availability | undefined {
    return this.#users.of(user);
  }

  /** Users who are online or idle. */
  users(): IterableIterator<UserId> {
    return this.#users.users();
  }

  lease(message: LeaseMessage, atMs: number): Applied {
    if (message.ended) return this.#end(message);
    const lease = this.#leaseFor(message, atMs);
    if (lease === "stale" || lease === "full") return { changes: [], verdict: lease };
    lease.heardAtMs = atMs;
    if (message.version < lease.version) return { changes: [], verdict: "stale" };
    if (message.version === lease.version && !lease.gap) return { changes: [], verdict: "applied" };
    lease.version = message.version;
    const whole = this.#replace(lease, message.entries);
    lease.gap = !whole;
    return { changes: this.#users.takeChanges(), verdict: whole ? "applied" : "full" };
  }

  change(message: ChangeMessage, atMs: number): Applied {
    const lease = this.#current.get(message.edge);
    if (lease?.incarnation !== message.incarnation) {
      const late = this.#retired.has(message.edge, message.incarnation);
      return { changes: [], verdict: late ? "stale" : "gap" };
    }
    lease.heardAtMs = atMs;
    if (message.version <= lease.version) return { changes: [], verdict: "stale" };
    if (message.version > lease.version + 1) lease.gap = true;
    lease.version = message.version;
    const fits = this.#say(lease, message.entry);
    if (!fits) lease.gap = true;
    const verdict = fits ? (lease.gap ? "gap" : "applied") : "full";
    return { changes: this.#users.takeChanges(), verdict };
  }

  /** Forgets edges that were silent for too long; they are believed again when they come back. */
  expire(atMs: number): { readonly changes: readonly StateChange[]; readonly dead: string[] } {
    const dead: string[] = [];
    const over = (lease: EdgeLease) => atMs - lease.heardAtMs > this.#limits.leaseTimeoutMs;
    for (const lease of this.#ghosts) {
      if (!over(lease)) continue;
      this.#ghosts.delete(lease);
      this.#users.drop(lease);
    }
    for (const lease of this.#current.values()) {
      if (!over(lease)) continue;
      this.#current.delete(lease.edge);
      this.#users.drop(lease);
      dead.push(lease.edge);
    }
    return { changes: this.#users.takeChanges(), dead };
  }

  /** This process itself stood still for `ms`: nobody is dead for not having been heard meanwhile. */
  forgive(ms: number): void {
    for (const lease of [...this.#current.values(), ...this.#ghosts]) lease.heardAtMs += ms;
  }

  #leaseFor(message: LeaseMessage, atMs: number): EdgeLease | "stale" | "full" {
    const { edge, incarnation } = message;
    const known = this.#current.get(edge);
    if (known?.incarnation === incarnation) return known;
    if (this.#retired.has(edge, incarnation)) {
      // Two lives cannot both go on: where only the retired one does, it was retired by a late message.
      const silent =
        known !== undefined && atMs - known.heardAtMs > this.#limits.leaseTimeoutMs / 2;
      if (!silent) return "stale";
      this.#retired.forget(edge, incarnation);
    }
    if (!known && this.#current.size >= this.#limits.edgesMax) return "full";
    if (known) this.#retire(known);
    const revived = [...this.#ghosts].find((g) => g.edge === edge && g.incarnation === incarnation);
    const lease = revived ?? newLease(edge, incarnation);
    this.#ghosts.delete(lease);
    lease.gap = true;
    this.#current.set(edge, lease);
    return lease;
  }

  #retire(lease: EdgeLease): void {
    this.#retired.add(lease.edge, lease.incarnation);
    for (const older of this.#ghosts) {
      if (older.edge !== lease.edge) continue;
      this.#ghosts.delete(older);
      this.#users.drop(older);
    }
    this.#ghosts.add(lease);
  }

  #end(message: LeaseMessage): Applied {
    const { edge, incarnation } = message;
    this.#retired.add(edge, incarnation);
    const lease = this.#current.get(edge);
    if (lease?.incarnation !== incarnation) return { changes: [], verdict: "stale" };
    this.#current.delete(edge);
    this.#users.drop(lease);
    for (const ghost of this.#ghosts) {
      if (ghost.edge !== edge) continue;
      this.#ghosts.delete(ghost);
      this.#users.drop(ghost);
    }
    return { changes: this.#users.takeChanges(), verdict: "applied" };
  }

  /** False where not everybody found room. */
  #replace(lease: EdgeLease, entries: readonly StateChange[]): boolean {
    const said = new Set(entries.map(({ user }) => user));
    for (const user of [...lease.users.keys()]) {
      if (!said.has(user)) this.#users.set(lease, user, undefined);
    }
    let whole = true;
    for (const entry of entries) whole = this.#say(lease, entry) && whole;
    return whole;
  }

  #say(lease: EdgeLease, { user, state }: StateChange): boolean {
    for (const ghost of this.#ghosts) {
      if (ghost.edge === lease.edge) this.#users.set(ghost, user, undefined);
    }
    return this.#users.set(lease, user, state);
  }
}

function newLease(edge: string, incarnation: string): EdgeLease {
  return { edge, incarnation, version: 0, heardAtMs: 0, gap: true, users: new Map() };
}
