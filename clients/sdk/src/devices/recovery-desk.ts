import { parseRecord, recoverySetRecord } from "@sotto/identity";
import { type DeviceId, fromHex, parseDeviceId } from "@sotto/protocol";
import type { Archive } from "../archive/archive.ts";
import { textOf, utf8 } from "../bytes.ts";
import { SottoClientError } from "../errors.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import { submitRecord } from "./own-chain.ts";
import { newPhrase, parsePhrase, recoveryDevice } from "./recovery-phrase.ts";

/**
 * - `none`: who loses all devices loses the identity;
 * - `unconfirmed`: a phrase is set, but as far as this device knows nobody has shown yet that one was written down;
 * - `set`: the words of one that is good were shown here, or have signed for a device of the person.
 */
export type RecoveryState = "none" | "unconfirmed" | "set";

/** Phrases whose words were shown to this device. */
const confirmedKey = "recovery-confirmed";
/** The phrase that this device set last. */
const madeKey = "recovery-made";

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
    const shown = new Set([...(await this.#confirmed()), ...(await this.#used())]);
    return keys.some((id) => shown.has(id)) ? "set" : "unconfirmed";
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
    await store.commit([{ table: "meta", key: madeKey, value: fromHex(description.id) }]);
    // So that the words bring the history back too; where that cannot be now, it is done a little later.
    await this.#archive.grantDevice(description.id).catch(() => this.#archive.wake());
    return phrase.words;
  }

  /** The person has shown that they have the words. Rejects with BAD_PHRASE, UNKNOWN_PHRASE. */
  async confirm(words: string): Promise<void> {
    const { device } = await this.#standing(words);
    await this.#confirm(device);
  }

  /** The same of the phrase that this device set last, where the person has shown it by some words that were asked for. */
  async confirmed(): Promise<void> {
    const made = await this.#context.store.get("meta", madeKey);
    if (made) await this.#confirm(parseDeviceId(made));
  }

  async #confirm(device: DeviceId): Promise<void> {
    const good = new Set(this.#keys());
    const ids = new Set([...(await this.#confirmed()), device].filter((id) => good.has(id)));
    const value = utf8(JSON.stringify([...ids]));
    await this.#context.store.commit([{ table: "meta", key: confirmedKey, value }]);
  }

  async #confirmed(): Promise<DeviceId[]> {
    const stored = await this.#context.store.get("meta", confirmedKey);
    return stored ? JSON.parse(textOf(stored)) : [];
  }

  /** Who has signed for the person's devices: a phrase among them was on paper. */
  async #used(): Promise<DeviceId[]> {
    const { directory, profile } = this.#context;
    const devices = directory.directory.user(profile.user)?.devices ?? [];
    const records = await Promise.all(devices.map(({ addedAt }) => directory.records(addedAt, 1)));
    return records.flat().map((bytes) => parseRecord(bytes).signer);
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
