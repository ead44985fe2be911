import type { Clock } from "@sotto/clock";
import { ErrorCode } from "@sotto/protocol";
import { mayPass, SottoClientError, serverError } from "../errors.ts";
import type { LinkChannel } from "./link-channel.ts";

/** The mailbox of a link at the server, which keeps sealed messages under numbers and never replaces one. */
export interface LinkMailbox {
  /** Rejects with LINK_UNKNOWN where there is none, FORBIDDEN where another message stands there. */
  put(channel: Uint8Array, number: number, sealed: Uint8Array): Promise<void>;
  /** The message, or `undefined` while there is none. Rejects with LINK_UNKNOWN. */
  get(channel: Uint8Array, number: number): Promise<Uint8Array | undefined>;
}

const pollMs = 300;
const retryMs = 1000;

/** Sealed talk through a mailbox: waits for what comes, and bears connections that break. */
export class LinkTalk {
  readonly #mailbox: LinkMailbox;
  readonly #channel: LinkChannel;
  readonly #clock: Clock;

  constructor(mailbox: LinkMailbox, channel: LinkChannel, clock: Clock) {
    this.#mailbox = mailbox;
    this.#channel = channel;
    this.#clock = clock;
  }

  /** Leaves message `number`. Rejects with LINK_ENDED where the link is over, or taken by another device. */
  async say(number: number, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    // Sealed once: the same bytes again are answered as the first time.
    const sealed = await this.#channel.seal(number, bytes);
    await this.#patiently(() => this.#mailbox.put(this.#channel.channel, number, sealed), signal);
  }

  /** Waits for message `number`. Rejects with LINK_ENDED, ALTERED, or the signal's reason. */
  async hear(number: number, signal: AbortSignal): Promise<Uint8Array> {
    for (;;) {
      const get = () => this.#mailbox.get(this.#channel.channel, number);
      const sealed = await this.#patiently(get, signal);
      if (sealed) return await this.#channel.open(number, sealed);
      await this.#clock.sleep(pollMs, signal);
    }
  }

  async #patiently<Result>(task: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await task();
      } catch (error) {
        const code = serverError(error)?.code;
        if (code === ErrorCode.LINK_UNKNOWN) {
          throw ended(
            "this code has expired, or the device that showed it was switched off",
            error,
          );
        }
        if (code === ErrorCode.FORBIDDEN) {
          throw ended("this code was used by another device already; make a new one", error);
        }
        if (!mayPass(error)) throw error;
      }
      await this.#clock.sleep(retryMs, signal);
    }
  }
}

function ended(message: string, cause: unknown): SottoClientError {
  return new SottoClientError("LINK_ENDED", message, { cause });
}
