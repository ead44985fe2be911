import type { DeviceId, RoomId } from "@sotto/protocol";
import { limits } from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import { chainBegun, type SenderChain } from "./sender-chain.ts";

/** The chains of a room's senders, in the store: a row for each device that was heard there. */
export class SenderChains {
  readonly room: RoomId;
  readonly #chains: Map<DeviceId, SenderChain>;

  private constructor(room: RoomId, chains: Map<DeviceId, SenderChain>) {
    this.room = room;
    this.#chains = chains;
  }

  static async open(store: ProfileStore, room: RoomId): Promise<SenderChains> {
    const prefix = `${room}/`;
    const rows = await store.scan("senders", { prefix, limit: limits.roomDevicesMax });
    const chains = rows.map(
      ({ key, value }) =>
        [key.slice(prefix.length) as DeviceId, JSON.parse(textOf(value)) as SenderChain] as const,
    );
    return new SenderChains(room, new Map(chains));
  }

  get(device: DeviceId): SenderChain | undefined {
    return this.#chains.get(device);
  }

  all(): ReadonlyMap<DeviceId, SenderChain> {
    return this.#chains;
  }

  /** The changes that keep a device's chain, at most one row for each device of a full room. */
  put(device: DeviceId, chain: SenderChain): StoreChange[] {
    const changes: StoreChange[] = [];
    if (!this.#chains.has(device) && this.#chains.size >= limits.roomDevicesMax) {
      const [oldest] = this.#chains.keys();
      if (oldest) changes.push(...this.forget(oldest));
    }
    this.#chains.set(device, chain);
    changes.push({
      table: "senders",
      key: this.#key(device),
      // Written with every message, of which a batch stores the last alone.
      get value() {
        return utf8(JSON.stringify(chain));
      },
    });
    return changes;
  }

  /** The device was let in before this one's eyes: its first message has number 1. */
  begin(device: DeviceId): StoreChange[] {
    return this.put(device, chainBegun);
  }

  /** This device is let in, and has heard nobody. */
  forgetAll(): StoreChange[] {
    return [...this.#chains.keys()].flatMap((device) => this.forget(device));
  }

  /** The device was taken out: what it says when it comes again begins a new chain. */
  forget(device: DeviceId): StoreChange[] {
    if (!this.#chains.delete(device)) return [];
    return [{ table: "senders", key: this.#key(device), value: undefined }];
  }

  /** A record of the device could not be opened. */
  unopened(device: DeviceId): StoreChange[] {
    const chain = this.#chains.get(device);
    return chain ? this.put(device, { ...chain, unopened: chain.unopened + 1 }) : [];
  }

  /** The device came back by itself: it may have lost its count. */
  mayRestart(device: DeviceId): StoreChange[] {
    const chain = this.#chains.get(device);
    return chain ? this.put(device, { ...chain, mayRestart: true }) : [];
  }

  /** The device was asked for what is missing in the gap that the entry at `order` tells of. */
  asked(device: DeviceId, order: string): StoreChange[] {
    const chain = this.#chains.get(device);
    if (!chain) return [];
    const gaps = chain.gaps.map((gap) => (gap.order === order ? { ...gap, asked: true } : gap));
    return this.put(device, { ...chain, gaps });
  }

  #key(device: DeviceId): string {
    return `${this.room}/${device}`;
  }
}
