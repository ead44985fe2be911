import type { DeviceId } from "@sotto/protocol";
import { fromHex, toHex } from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { ArchiveKeyId } from "./archive-key.ts";
import type { ArchivePlace } from "./archive-port.ts";

/** Keys of one archive: one more for every revoked device. Further ones are not taken in. */
const keysMax = 4096;

/** A key of the archive, and who has it. */
export interface ArchiveKey {
  /** `undefined` where it was not sealed to this device. */
  readonly key: Uint8Array | undefined;
  readonly holders: ReadonlySet<DeviceId>;
}

interface Known {
  /** Up to where records were taken. */
  place: ArchivePlace | undefined;
  /** The key under which batches are written. */
  current: ArchiveKeyId | undefined;
  /** The first batch that could not be opened for want of its key. */
  unopened: number | undefined;
  /** From where batches were passed over on a first reading, which looks for keys only. */
  unread: number | undefined;
  /** Revoked devices, and the sequence from which nothing of theirs counts. */
  barred: Map<DeviceId, number>;
}

/** What a device knows of its user's archive, in the store. */
export class ArchiveState {
  readonly known: Known;
  readonly keys: ReadonlyMap<ArchiveKeyId, ArchiveKey>;
  readonly #keys: Map<ArchiveKeyId, ArchiveKey>;

  private constructor(known: Known, keys: Map<ArchiveKeyId, ArchiveKey>) {
    this.known = known;
    this.#keys = keys;
    this.keys = keys;
  }

  static async open(store: ProfileStore): Promise<ArchiveState> {
    const keys = new Map<ArchiveKeyId, ArchiveKey>();
    for (const { key: id, value } of await store.scan("archive-keys", { limit: keysMax })) {
      const { key, holders } = JSON.parse(textOf(value));
      keys.set(id, { key: key && fromHex(key), holders: new Set(holders) });
    }
    const stored = await store.get("meta", "archive");
    const json = stored ? JSON.parse(textOf(stored)) : {};
    const known = {
      place: json.place,
      current: json.current,
      unopened: json.unopened,
      unread: json.unread,
      barred: new Map<DeviceId, number>(json.barred),
    };
    return new ArchiveState(known, keys);
  }

  /** The key for new batches, where this device has it. */
  get current(): (ArchiveKey & { readonly id: ArchiveKeyId }) | undefined {
    const id = this.known.current;
    const found = id === undefined ? undefined : this.#keys.get(id);
    return id !== undefined && found ? { ...found, id } : undefined;
  }

  /** True where a record of the device counts at `sequence`. */
  counts(device: DeviceId, sequence: number): boolean {
    const barredFrom = this.known.barred.get(device);
    return barredFrom === undefined || sequence < barredFrom;
  }

  /** Notes that a key was sealed to devices, and the key itself where it is known now. */
  learn(id: ArchiveKeyId, holders: Iterable<DeviceId>, key: Uint8Array | undefined): StoreChange[] {
    const before = this.#keys.get(id);
    if (!before && this.#keys.size >= keysMax) return [];
    const next = {
      key: before?.key ?? key,
      holders: new Set([...(before?.holders ?? []), ...holders]),
    };
    this.#keys.set(id, next);
    const json = { version: 1, key: next.key && toHex(next.key), holders: [...next.holders] };
    return [{ table: "archive-keys", key: id, value: utf8(JSON.stringify(json)) }];
  }

  /**
   * The log was replaced: who has which key is told anew; the keys themselves stay good. Nothing of a device that was
   * revoked before counts in the new one, wherever it stands: the order of the records is the server's.
   */
  forget(revoked: Iterable<DeviceId>): StoreChange[] {
    const nothing = {
      place: undefined,
      current: undefined,
      unopened: undefined,
      unread: undefined,
    };
    Object.assign(this.known, nothing);
    for (const device of [...this.known.barred.keys(), ...revoked])
      this.known.barred.set(device, 0);
    const changes = [...this.#keys].map(([id, { key }]): StoreChange => {
      this.#keys.set(id, { key, holders: new Set() });
      const json = { version: 1, key: key && toHex(key), holders: [] };
      return { table: "archive-keys", key: id, value: utf8(JSON.stringify(json)) };
    });
    return [...changes, this.stored()];
  }

  /** The change that stores what is `known`. */
  stored(): StoreChange {
    const { barred, ...rest } = this.known;
    const json = { version: 1, ...rest, barred: [...barred] };
    return { table: "meta", key: "archive", value: utf8(JSON.stringify(json)) };
  }
}
