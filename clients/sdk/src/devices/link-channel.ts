import { randomBytes } from "../bytes.ts";
import { SottoClientError } from "../errors.ts";
import { hkdf } from "./hkdf.ts";

const nonceBytes = 12;
const algorithm = "AES-GCM";

type PlatformKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/**
 * What both ends of a link derive from the code's secret: the mailbox's name, and a key for each direction.
 * The server has the name only. Even messages are the new device's, odd ones the old device's.
 */
export class LinkChannel {
  /** 16 bytes. */
  readonly channel: Uint8Array<ArrayBuffer>;
  readonly #keys: readonly [PlatformKey, PlatformKey];

  private constructor(channel: Uint8Array<ArrayBuffer>, keys: readonly [PlatformKey, PlatformKey]) {
    this.channel = channel;
    this.#keys = keys;
  }

  static async of(secret: Uint8Array): Promise<LinkChannel> {
    const [channel, ofNew, ofOld] = await Promise.all([
      hkdf(secret, "sotto-link-channel-v1", 16),
      hkdf(secret, "sotto-link-new-v1", 32).then(importKey),
      hkdf(secret, "sotto-link-old-v1", 32).then(importKey),
    ]);
    return new LinkChannel(channel, [ofNew, ofOld]);
  }

  /** Seals message `number`: a nonce, then AES-256-GCM. */
  async seal(number: number, bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    const iv = randomBytes(nonceBytes);
    const parameters = { name: algorithm, iv, additionalData: this.#place(number) };
    const plain = bytes as Uint8Array<ArrayBuffer>;
    const sealed = await crypto.subtle.encrypt(parameters, this.#key(number), plain);
    return Uint8Array.from([...iv, ...new Uint8Array(sealed)]);
  }

  /** Opens message `number`. Rejects with ALTERED: whoever wrote it does not have the code. */
  async open(number: number, sealed: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    const iv = sealed.slice(0, nonceBytes);
    const parameters = { name: algorithm, iv, additionalData: this.#place(number) };
    try {
      const bytes = sealed.slice(nonceBytes);
      return new Uint8Array(await crypto.subtle.decrypt(parameters, this.#key(number), bytes));
    } catch (cause) {
      throw new SottoClientError(
        "ALTERED",
        "somebody who does not have the code wrote into the link; this device was not set up. " +
          "On your other device run 'sotto devices', and revoke this one if it is listed",
        { cause },
      );
    }
  }

  #key(number: number): PlatformKey {
    return this.#keys[number % 2 === 0 ? 0 : 1];
  }

  /** Ties a message to its mailbox and number. */
  #place(number: number): Uint8Array<ArrayBuffer> {
    const prefix = new TextEncoder().encode("sotto-link-v1\0");
    const place = new Uint8Array(prefix.length + this.channel.length + 4);
    place.set(prefix);
    place.set(this.channel, prefix.length);
    new DataView(place.buffer).setUint32(prefix.length + this.channel.length, number);
    return place;
  }
}

async function importKey(raw: Uint8Array<ArrayBuffer>): Promise<PlatformKey> {
  return await crypto.subtle.importKey("raw", raw, algorithm, false, ["encrypt", "decrypt"]);
}
