import { type Group, type LeafIdentity, type Mls, MlsError, type SignatureKey } from "@sotto/mls";
import { limits, toHex } from "@sotto/protocol";
import { textOf, utf8 } from "./bytes.ts";
import type { Connection } from "./connection/connection.ts";
import type { ProfileStore, StoreChange } from "./ports/profile-store.ts";

/** Packages made and published in one go. */
const batchPackages = 10;
/** Packages are good for 90 days: all are made anew at half of it. */
const renewAfterMs = 45 * 24 * 3600 * 1000;
/** A Welcome may still be on its way when its package has ended. */
const keepEndedMs = 7 * 24 * 3600 * 1000;
const pageSecrets = 100;
/** When all packages were published anew, wall time in ms, as text. Absent: they must be. */
const publishedKey = "published";

export interface KeyPackagesOptions {
  readonly mls: Mls;
  readonly store: ProfileStore;
  readonly leaf: LeafIdentity;
  readonly mlsKey: SignatureKey;
  /** One-time packages to keep at the server; at most `limits.keyPackagesMax`. */
  readonly target: number;
  /** Wall time, ms. */
  now(): number;
}

/**
 * Keeps KeyPackages of this device at the server, and their secrets here. A secret is stored before
 * its package is published, and goes with the commit that stores the group of its Welcome.
 */
export class KeyPackages {
  readonly #options: KeyPackagesOptions;
  #filling: Promise<void> | undefined;

  constructor(options: KeyPackagesOptions) {
    this.#options = options;
  }

  /** Called at login: publishes what is missing, everything anew where it is old or was never published. */
  async keep(connection: Connection, left: number): Promise<void> {
    const { store, now } = this.#options;
    const published = textOf((await store.get("meta", publishedKey)) ?? new Uint8Array());
    const fresh = /^\d{13}$/.test(published) && now() - Number(published) < renewAfterMs;
    if (fresh) return this.#replenish(connection, left);
    await this.#publishAnew(connection);
  }

  /** The last resort and a first batch: enough for others to let this device in at once. */
  async #publishAnew(connection: Connection): Promise<void> {
    const { store, now, target } = this.#options;
    const lastResort = await this.#make(1, true);
    const first = await this.#make(Math.min(batchPackages, target), false);
    await this.#publish(connection, first, lastResort[0]);
    const value = utf8(String(now()));
    await store.commit([{ table: "meta", key: publishedKey, value }, ...(await this.#ended())]);
  }

  /** Secrets that nobody can need any more. */
  async #ended(): Promise<StoreChange[]> {
    const { mls, store, now } = this.#options;
    const changes: StoreChange[] = [];
    for (let after = ""; ; ) {
      const page = await store.scan("key-packages", { after, limit: pageSecrets });
      for (const { key, value: secret } of page) {
        after = key;
        if (mls.endOf(secret) + keepEndedMs < now())
          changes.push({ table: "key-packages", key, value: undefined });
      }
      if (page.length < pageSecrets) return changes;
    }
  }

  /** Fills up to the target in the background where few are `left`. */
  #replenish(connection: Connection, left: number): void {
    if (left >= Math.min(limits.keyPackagesLow, this.#options.target) || this.#filling) return;
    this.#filling = this.#fill(connection, left)
      .catch(() => {})
      .finally(() => {
        this.#filling = undefined;
      });
  }

  /**
   * Opens a Welcome with the package that it names. The caller commits `spent` together with the group: the secret must
   * be there until the group is. Rejects with `MlsError`.
   */
  async join(
    welcome: Uint8Array,
    tree: Uint8Array,
    judge: (leaf: LeafIdentity, key: Uint8Array) => boolean,
  ): Promise<{ readonly group: Group; readonly spent: StoreChange }> {
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
      // A last resort that was used may be handed out again: the next login makes another one.
      const spent: StoreChange = mls.isLastResort(secret)
        ? { table: "meta", key: publishedKey, value: undefined }
        : { table: "key-packages", key, value: undefined };
      return { group, spent };
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
