import { type Group, type LeafIdentity, type Mls, MlsError, type SignatureKey } from "@sotto/mls";
import { limits, toHex } from "@sotto/protocol";
import type { Connection } from "./connection/connection.ts";
import type { ProfileStore, StoreChange } from "./ports/profile-store.ts";

/** Packages made and published in one go. */
const batchPackages = 10;

export interface KeyPackagesOptions {
  readonly mls: Mls;
  readonly store: ProfileStore;
  readonly leaf: LeafIdentity;
  readonly mlsKey: SignatureKey;
  /** One-time packages to keep at the server; at most `limits.keyPackagesMax`. */
  readonly target: number;
}

/**
 * Keeps KeyPackages of this device at the server, and their secrets here. A secret is stored before
 * its package is published, and goes when its Welcome was opened.
 */
export class KeyPackages {
  readonly #options: KeyPackagesOptions;
  #filling: Promise<void> | undefined;

  constructor(options: KeyPackagesOptions) {
    this.#options = options;
  }

  /** Publishes the last resort and a first batch: enough for others to let this device in at once. */
  async publishFirst(connection: Connection): Promise<void> {
    const lastResort = await this.#make(1, true);
    const first = await this.#make(Math.min(batchPackages, this.#options.target), false);
    await this.#publish(connection, first, lastResort[0]);
  }

  /** Fills up to the target in the background where few are `left`. */
  replenish(connection: Connection, left: number): void {
    if (left >= Math.min(limits.keyPackagesLow, this.#options.target) || this.#filling) return;
    this.#filling = this.#fill(connection, left)
      .catch(() => {})
      .finally(() => {
        this.#filling = undefined;
      });
  }

  /** Opens a Welcome with the package that it names. Rejects with `MlsError`. */
  async join(
    welcome: Uint8Array,
    tree: Uint8Array,
    judge: (leaf: LeafIdentity, key: Uint8Array) => boolean,
  ): Promise<Group> {
    const { mls, store, mlsKey } = this.#options;
    for (const ref of mls.welcomeRefs(welcome)) {
      const key = toHex(ref);
      const secret = await store.get("key-packages", key);
      if (!secret) continue;
      const group = await mls.joinFromWelcome({
        welcome,
        tree,
        secret,
        signatureKey: mlsKey,
        judge,
      });
      if (!mls.isLastResort(secret))
        await store.commit([{ table: "key-packages", key, value: undefined }]);
      return group;
    }
    throw new MlsError("NOT_A_MEMBER", "the Welcome is for no KeyPackage of this device");
  }

  async #fill(connection: Connection, left: number): Promise<void> {
    for (let count = left; count < this.#options.target && !connection.closed; ) {
      const made = await this.#make(Math.min(batchPackages, this.#options.target - count), false);
      count = await this.#publish(connection, made, undefined);
    }
  }

  async #make(count: number, lastResort: boolean): Promise<Uint8Array[]> {
    const { mls, store, leaf, mlsKey } = this.#options;
    const packages: Uint8Array[] = [];
    const changes: StoreChange[] = [];
    for (let i = 0; i < count; i++) {
      const made = await mls.generateKeyPackage({
        identity: leaf,
        signatureKey: mlsKey,
        lastResort,
      });
      packages.push(made.keyPackage);
      changes.push({ table: "key-packages", key: toHex(made.ref), value: made.secret });
    }
    await store.commit(changes);
    return packages;
  }

  async #publish(
    connection: Connection,
    oneTime: Uint8Array[],
    lastResort: Uint8Array | undefined,
  ): Promise<number> {
    const value = { oneTime, lastResort: lastResort ?? new Uint8Array() };
    const answer = await connection.request(
      { case: "publishKeyPackages", value },
      "keyPackageCount",
    );
    return answer.oneTime;
  }
}
