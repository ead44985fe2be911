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
  /**
   * Size of the directory by which its holders were chosen when it was made; `undefined` where no record said so.
   * Whoever was revoked from there on may have it, whatever the server shows of the archive.
   */
  readonly madeAtSize: number | undefined;
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
      const { key, holders, madeAtSize } = JSON.parse(textOf(value));
      keys.set(id, { key: key && fromHex(key), holders: new Set(holders), madeAtSize });
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

  /**
   * Notes that a key was sealed to devices, the key itself where it is known now, and by which directory it was made where
   * the record says so: of several such sizes the smallest.
   */
  learn(
    id: ArchiveKeyId,
    holders: Iterable<DeviceId>,
    key: Uint8Array | undefined,
    madeAtSize?: number,
  ): StoreChange[] {
    const before = this.#keys.get(id);
    if (!before && this.#keys.size >= keysMax) return [];
    const sizes = [before?.madeAtSize, madeAtSize].filter((size) => size !== undefined);
    return [
      this.#put(id, {
        key: before?.key ?? key,
        holders: new Set([...(before?.holders ?? []), ...holders]),
        madeAtSize: sizes.length > 0 ? Math.min(...sizes) : undefined,
      }),
    ];
  }

  #put(id: ArchiveKeyId, next: ArchiveKey): StoreChange {
    this.#keys.set(id, next);
    const { key, holders, madeAtSize } = next;
    const json = { version: 1, key: key && toHex(key), holders: [...holders], madeAtSize };
    return { table: "archive-keys", key: id, value: utf8(JSON.stringify(json)) };
  }

  /**
   * The log was replaced: which of the good devices have which key is told anew; the keys themselves stay good, and whoever
   * is revoked keeps what it had. Nothing of a device that was revoked before counts in the new one, wherever it
   * stands: the order of the records is the server's.
   */
  forget(revoked: readonly DeviceId[]): StoreChange[] {
    const nothing = {
      place: undefined,
      current: undefined,
      unopened: undefined,
      unread: undefined,
    };
    Object.assign(this.known, nothing);
    for (const device of [...this.known.barred.keys(), ...revoked])
      this.known.barred.set(device, 0);
    const changes = [...this.#keys].map(([id, known]) => {
      const holders = new Set(revoked.filter((device) => known.holders.has(device)));
      return this.#put(id, { ...known, holders });
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
