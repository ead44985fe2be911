import { create, toBinary } from "@bufbuild/protobuf";
import type { Bus } from "@sotto/bus";
import type { Clock, Timer } from "@sotto/clock";
import { PresenceChangeSchema, PresenceLeaseSchema, subjects } from "@sotto/interservice";
import { fromHex, PresenceState, type UserId } from "@sotto/protocol";

/** An edge as presence sees it: a lease every 2 s and when asked, a change at once. */
export class FakeEdge implements AsyncDisposable {
  readonly #bus: Bus;
  readonly #edge: string;
  readonly #incarnation: Uint8Array;
  readonly #users = new Map<UserId, PresenceState>();
  readonly #timer: Timer;
  #asks: AsyncDisposable | undefined;
  #version = 0;

  constructor(bus: Bus, clock: Clock, edge: string, incarnation: string) {
    this.#bus = bus;
    this.#edge = edge;
    this.#incarnation = fromHex(incarnation);
    this.#timer = clock.every(2000, () => this.lease());
  }

  async start(): Promise<this> {
    this.#asks = await this.#bus.subscribe(subjects.presenceAsk, () => this.lease());
    this.lease();
    return this;
  }

  lease(ended = false): void {
    const entries = [...this.#users].map(([user, state]) => ({ user: fromHex(user), state }));
    const lease = create(PresenceLeaseSchema, { ...this.#origin(), entries, ended });
    this.#bus.publish(subjects.presenceLease, toBinary(PresenceLeaseSchema, lease));
  }

  /** `silently` loses the change on its way. */
  set(user: UserId, state: PresenceState, silently = false): void {
    this.#version++;
    if (state === PresenceState.OFFLINE) this.#users.delete(user);
    else this.#users.set(user, state);
    const entry = { user: fromHex(user), state };
    const change = create(PresenceChangeSchema, { ...this.#origin(), entry });
    if (!silently)
      this.#bus.publish(subjects.presenceChange, toBinary(PresenceChangeSchema, change));
  }

  /** Falls silent without a goodbye. */
  async kill(): Promise<void> {
    this.#timer.cancel();
    await this.#asks?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #origin() {
    const version = BigInt(this.#version);
    return { edge: this.#edge, incarnation: this.#incarnation, version };
  }
}
