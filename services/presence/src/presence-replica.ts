import type { Bus } from "@sotto/bus";
import type { Clock } from "@sotto/clock";
import { subjects } from "@sotto/interservice";
import type { UserId } from "@sotto/protocol";
import { Announcements } from "./announcements.ts";
import type { StateChange } from "./availability.ts";
import { Election } from "./election.ts";
import type { PresenceEvents } from "./events.ts";
import type { PresenceLimits } from "./presence-limits.ts";
import { type Applied, PresenceTable } from "./presence-table.ts";
import {
  readChange,
  readLease,
  readReplica,
  readStateChanged,
  writeReplica,
  writeStateChanged,
} from "./wire-messages.ts";

export interface ReplicaOptions {
  readonly id: string;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly limits: PresenceLimits;
  readonly events: PresenceEvents;
}

/**
 * One replica: the table, and whether and what it announces. The one owner of its state: every
 * message and every tick is handled whole before the next one, for no method waits for anything.
 */
export class PresenceReplica {
  readonly #options: ReplicaOptions;
  readonly #table: PresenceTable;
  readonly #election: Election;
  readonly #announcements = new Announcements();
  #ready = false;
  #speaks = false;
  /** An announcement failed: the next tick says it again. */
  #owes = false;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #sweptAtMs: number;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#table = new PresenceTable(options.limits);
    this.#election = new Election(options.id, options.limits);
    this.#sweptAtMs = options.clock.monotonic();
  }

  get ready(): boolean {
    return this.#ready;
  }

  get speaks(): boolean {
    return this.#speaks;
  }

  get edgeCount(): number {
    return this.#table.edgeCount;
  }

  get userCount(): number {
    return this.#table.userCount;
  }

  statesOf(users: readonly UserId[]): StateChange[] {
    return users
      .map((user) => ({ user, state: this.#table.stateOf(user) }))
      .filter(({ state }) => state !== undefined);
  }

  lease(data: Uint8Array): void {
    const message = readLease(data);
    if (message.ended) this.#options.events.edgeEnded(message.edge);
    this.#settle(this.#table.lease(message, this.#options.clock.monotonic()));
  }

  change(data: Uint8Array): void {
    this.#settle(this.#table.change(readChange(data), this.#options.clock.monotonic()));
  }

  /** Another replica's announcement; one's own come back too, and are known. */
  stateChanged(data: Uint8Array): void {
    if (!this.#speaks) this.#announcements.told(readStateChanged(data));
  }

  heartbeatOf(data: Uint8Array): void {
    const { id, ready } = readReplica(data);
    this.#election.hear(id, ready, this.#options.clock.monotonic());
    this.#elect();
  }

  /** Says that this replica lives. */
  beat(): void {
    this.#publish(subjects.presenceReplica, writeReplica(this.#options.id, this.#ready));
  }

  /** From now on it may announce. */
  becomeReady(): void {
    if (this.#ready) return;
    this.#ready = true;
    if (this.#election.othersReady) this.#announcements.adopt(this.#table);
    this.#options.events.becameReady();
    this.beat();
    this.#elect();
  }

  /** Announces no more, and lets another take over at once. */
  retire(): void {
    this.#ready = false;
    this.#speaks = false;
    this.beat();
  }

  /** Looks for edges and replicas that fell silent. */
  sweep(): void {
    const { clock, limits, events } = this.#options;
    const now = clock.monotonic();
    const lateMs = now - this.#sweptAtMs - limits.sweepPeriodMs;
    this.#sweptAtMs = now;
    if (lateMs > limits.sweepPeriodMs) {
      // Messages that came while this process stood still are handled after this tick.
      events.stoodStill(lateMs);
      this.#table.forgive(lateMs);
    }
    const { changes, dead } = this.#table.expire(now);
    for (const edge of dead) events.edgeDied(edge);
    this.#announce(changes);
    this.#election.expire(now);
    this.#elect();
    if (!this.#owes) return;
    this.#owes = false;
    this.#announce(this.#announcements.differences(this.#table));
  }

  /** Asks every edge for a lease, unless that was done a moment ago: then leases are on their way. */
  ask(): void {
    const { clock, limits, events } = this.#options;
    const now = clock.monotonic();
    if (now - this.#askedAtMs < limits.askPeriodMs) return;
    this.#askedAtMs = now;
    events.asked();
    this.#publish(subjects.presenceAsk, new Uint8Array());
  }

  #settle({ changes, verdict }: Applied): void {
    const { events } = this.#options;
    this.#announce(changes);
    if (verdict === "stale") events.staleIgnored();
    if (verdict === "full") events.boundReached();
    if (verdict === "gap") {
      events.gapFound();
      this.ask();
    }
  }

  #elect(): void {
    const speaks = this.#ready && this.#election.wins;
    if (speaks === this.#speaks) return;
    this.#speaks = speaks;
    if (!speaks) {
      this.#options.events.yielded();
      return;
    }
    const pending = this.#announcements.differences(this.#table);
    this.#options.events.tookOver(pending.length);
    this.#announce(pending);
  }

  #announce(changes: readonly StateChange[]): void {
    if (!this.#speaks) return;
    for (const change of changes) {
      if (!this.#announcements.isNews(change)) continue;
      if (!this.#publish(subjects.presenceState, writeStateChanged(change))) {
        this.#owes = true;
        continue;
      }
      this.#announcements.told(change);
      this.#options.events.announced(change);
    }
  }

  #publish(subject: string, data: Uint8Array): boolean {
    try {
      this.#options.bus.publish(subject, data);
      return true;
    } catch (error) {
      this.#options.events.announcementFailed(error);
      return false;
    }
  }
}
