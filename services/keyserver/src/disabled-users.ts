import type { Clock } from "@sotto/clock";
import type { DirectoryStore } from "@sotto/directory";
import { type Signer, signDisablement } from "@sotto/identity";
import { ErrorCode, parseUserId, SottoError, type UserId } from "@sotto/protocol";

export interface DisabledUsersOptions {
  readonly store: DirectoryStore;
  readonly clock: Clock;
  readonly identityKey: Signer;
  /** The store is read again after this time: another replica may have switched somebody off. */
  readonly freshMs: number;
}

interface Loaded {
  readonly at: number;
  readonly users: Promise<ReadonlyMap<UserId, number>>;
}

/**
 * The accounts that the operator switched off. They log in nowhere, call nothing, and any member may remove them from
 * rooms by the signed word that stands here; name, chain and history stay.
 */
export class DisabledUsers {
  readonly #options: DisabledUsersOptions;
  readonly #signed = new Map<string, Uint8Array>();
  #loaded: Loaded | undefined;

  constructor(options: DisabledUsersOptions) {
    this.#options = options;
  }

  /** Another replica changed something: the next question reads anew. */
  changed(): void {
    this.#loaded = undefined;
  }

  /** Since when (wall time, ms) each is off. Rejects as the store does. */
  all(): Promise<ReadonlyMap<UserId, number>> {
    const { clock, freshMs } = this.#options;
    const at = clock.monotonic();
    if (this.#loaded && at - this.#loaded.at < freshMs) return this.#loaded.users;
    const loading: Loaded = { at, users: this.#load() };
    this.#loaded = loading;
    loading.users.catch(() => {
      if (this.#loaded === loading) this.#loaded = undefined;
    });
    return loading.users;
  }

  async has(user: UserId): Promise<boolean> {
    return (await this.all()).has(user);
  }

  /** Rejects with `SottoError` ACCOUNT_DISABLED where the user is off. */
  async refuse(user: UserId): Promise<void> {
    if (await this.has(user))
      throw new SottoError(ErrorCode.ACCOUNT_DISABLED, "the operator disabled that account");
  }

  /** Switches a user off or on; answers whether that changed anything. Rejects as the store does. */
  async set(user: UserId, off: boolean): Promise<boolean> {
    const { store, clock } = this.#options;
    const changed = await store.setDisabled(user, off ? clock.now() : undefined);
    this.changed();
    return changed;
  }

  /** The server's signed word for each. */
  async signed(): Promise<Uint8Array[]> {
    const users = await this.all();
    return await Promise.all([...users].map(([user, since]) => this.#sign(user, since)));
  }

  async #sign(user: UserId, since: number): Promise<Uint8Array> {
    const key = `${user}/${since}`;
    const signed =
      this.#signed.get(key) ?? (await signDisablement({ user, since }, this.#options.identityKey));
    this.#signed.set(key, signed);
    return signed;
  }

  async #load(): Promise<ReadonlyMap<UserId, number>> {
    const stored = await this.#options.store.listDisabled();
    return new Map(stored.map(({ user, since }) => [parseUserId(Buffer.from(user, "hex")), since]));
  }
}
