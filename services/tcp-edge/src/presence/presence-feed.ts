import { fromBinary } from "@bufbuild/protobuf";
import type { Bus, BusSubscription } from "@sotto/bus";
import { type PresenceEntry, PresenceStateChangedSchema, subjects } from "@sotto/interservice";
import { parseUserId, type RoomId, type UserId } from "@sotto/protocol";
import type { ConnectedDevices } from "../connection/connected-devices.ts";
import { eventFrame } from "../connection/frames.ts";
import type { Rosters } from "../rooms/rosters.ts";
import type { ServiceCalls } from "../service-calls.ts";

export interface PresenceFeedOptions {
  readonly bus: Bus;
  readonly calls: Pick<ServiceCalls, "presence">;
  readonly rosters: Rosters;
  readonly devices: ConnectedDevices;
}

/** Tells connected devices how the people are with whom their user shares a room. */
export class PresenceFeed implements AsyncDisposable {
  readonly #options: PresenceFeedOptions;
  #heard: BusSubscription | undefined;

  private constructor(options: PresenceFeedOptions) {
    this.#options = options;
  }

  static async start(options: PresenceFeedOptions): Promise<PresenceFeed> {
    const feed = new PresenceFeed(options);
    feed.#heard = await options.bus.subscribe(subjects.presenceState, (message) => {
      const { entry } = fromBinary(PresenceStateChangedSchema, message.data);
      if (entry) feed.#tell(entry);
    });
    return feed;
  }

  /** Sends the whole of what a user may see to its connections, or to one of them. Never rejects. */
  async snapshot(user: UserId, push: (frame: Uint8Array) => void): Promise<void> {
    const companions = [...this.#options.rosters.companionsOf(user)];
    const states = await this.#ask(companions);
    if (!states) return;
    const value = { states: states.map(({ user, state }) => ({ user, state })) };
    push(eventFrame({ case: "presenceSnapshot", value }));
  }

  /** People came into a room: they and those who are in it hear of each other. */
  async met(room: RoomId, newcomers: ReadonlySet<UserId>): Promise<void> {
    const { rosters } = this.#options;
    for (const user of newcomers) {
      if (rosters.isLocal(user)) {
        void this.snapshot(user, (frame) => this.#push(user, frame));
      }
    }
    const others = [...rosters.usersOf(room)].filter(
      (user) => !newcomers.has(user) && rosters.isLocal(user),
    );
    if (others.length === 0) return;
    for (const { user, state } of (await this.#ask([...newcomers])) ?? []) {
      const frame = eventFrame({ case: "presenceChanged", value: { user, state } });
      for (const other of others) this.#push(other, frame);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#heard?.[Symbol.asyncDispose]();
  }

  /** Undefined where presence does not answer: a later change or login tells. */
  async #ask(users: readonly UserId[]): Promise<readonly PresenceEntry[] | undefined> {
    if (users.length === 0) return [];
    return await this.#options.calls.presence(users).catch(() => undefined);
  }

  #tell(entry: PresenceEntry): void {
    const user = parseUserId(entry.user);
    const { user: bytes, state } = entry;
    let frame: Uint8Array | undefined;
    for (const companion of this.#options.rosters.companionsOf(user)) {
      if (!this.#options.rosters.isLocal(companion)) continue;
      frame ??= eventFrame({ case: "presenceChanged", value: { user: bytes, state } });
      this.#push(companion, frame);
    }
  }

  #push(user: UserId, frame: Uint8Array): void {
    for (const connection of this.#options.devices.ofUser(user)) connection.tellPresence(frame);
  }
}
