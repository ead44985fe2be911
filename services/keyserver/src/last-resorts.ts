import type { DirectoryStore } from "@sotto/directory";
import type { DeviceId } from "@sotto/protocol";

function nameOf(device: DeviceId): string {
  return `last-resort.${device}`;
}

/**
 * A second copy of every device's last resort, for whoever has used up the budget of claims. The store itself
 * gives a last resort only where no one-time package is left, and those are what the budget protects.
 */
export class LastResorts {
  readonly #store: DirectoryStore;

  constructor(store: DirectoryStore) {
    this.#store = store;
  }

  /** Replaces the device's last resort, in the store's own place and here. */
  async put(device: DeviceId, keyPackage: Uint8Array): Promise<void> {
    await this.#store.putLastResort(device, keyPackage);
    await this.#store.putMeta(nameOf(device), keyPackage);
  }

  /** Takes nothing away: the same package is answered every time. */
  async get(device: DeviceId): Promise<Uint8Array | undefined> {
    const kept = await this.#store.getMeta(nameOf(device));
    return kept && kept.length > 0 ? kept : undefined;
  }

  /** Forgets every package of the device, one-time ones included. */
  async drop(device: DeviceId): Promise<void> {
    await this.#store.dropKeyPackages(device);
    if (await this.get(device)) await this.#store.putMeta(nameOf(device), new Uint8Array());
  }
}
