import { recoverySetRecord } from "@sotto/identity";
import { type DeviceId, fromHex, parseDeviceId } from "@sotto/protocol";
import type { Archive } from "../archive/archive.ts";
import { SottoClientError } from "../errors.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import { submitRecord } from "./own-chain.ts";
import { newPhrase, parsePhrase, recoveryDevice } from "./recovery-phrase.ts";

/**
 * - `none`: who loses all devices loses the identity;
 * - `unconfirmed`: a phrase is set, but nobody has shown yet that it was written down;
 * - `set`.
 */
export type RecoveryState = "none" | "unconfirmed" | "set";

const unconfirmedKey = "recovery-unconfirmed";

/** The recovery phrases of this client's own person. */
export class RecoveryDesk {
  readonly #context: RoomContext;
  readonly #archive: Archive;

  constructor(context: RoomContext, archive: Archive) {
    this.#context = context;
    this.#archive = archive;
  }

  /** Whether there are words to come back with, as far as this device knows. */
  async state(): Promise<RecoveryState> {
    const keys = this.#keys();
    if (keys.length === 0) return "none";
    const stored = await this.#context.store.get("meta", unconfirmedKey);
    const unconfirmed = stored && parseDeviceId(stored);
    return keys.every((id) => id === unconfirmed) ? "unconfirmed" : "set";
  }

  /**
   * Sets a new phrase and answers its words, which are kept nowhere: show them once. Earlier phrases stay good,
   * except with `replacing`: the words of one, which signs itself and all younger ones away. Rejects with
   * BAD_PHRASE, UNKNOWN_PHRASE, REFUSED where there are too many already, or with the server's refusal.
   */
  async create(options: { replacing?: string } = {}): Promise<string> {
    const { profile, signKey, store } = this.#context;
    const phrase = newPhrase();
    const { description, signer } = await recoveryDevice(
      phrase,
      profile.serverKeySha256,
      profile.suite,
    );
    const by =
      options.replacing === undefined
        ? { device: profile.device, signer: signKey }
        : await this.#standing(options.replacing);
    await submitRecord(this.#context, (place) => recoverySetRecord(place, description, signer, by));
    await store.commit([{ table: "meta", key: unconfirmedKey, value: fromHex(description.id) }]);
    // So that the words bring the history back too; where that cannot be now, it is done a little later.
    await this.#archive.grantDevice(description.id).catch(() => this.#archive.wake());
    return phrase.words;
  }

  /** The person has shown that they have the words. Rejects with BAD_PHRASE, UNKNOWN_PHRASE. */
  async confirm(words: string): Promise<void> {
    await this.#standing(words);
    await this.confirmed();
  }

  /** The same, where the person has shown it otherwise: by some words that were asked for. */
  async confirmed(): Promise<void> {
    const { store } = this.#context;
    await store.commit([{ table: "meta", key: unconfirmedKey, value: undefined }]);
  }

  async #standing(words: string) {
    const { profile } = this.#context;
    const { serverKeySha256, suite } = profile;
    const { description, signer } = await recoveryDevice(
      parsePhrase(words),
      serverKeySha256,
      suite,
    );
    if (this.#keys().includes(description.id)) return { device: description.id, signer };
    throw new SottoClientError(
      "UNKNOWN_PHRASE",
      "that is no recovery phrase of yours, or it was replaced by a newer one",
    );
  }

  /** Recovery keys that are good, oldest first. */
  #keys(): DeviceId[] {
    const { directory, profile } = this.#context;
    return (directory.directory.user(profile.user)?.devices ?? [])
      .filter(({ kind, revokedAt }) => kind === "recovery" && revokedAt === undefined)
      .map(({ id }) => id);
  }
}
