import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  addDeviceRecord,
  type ChainPlace,
  type DeviceDescription,
  makeLinkCode,
} from "@sotto/identity";
import { type DeviceId, fromHex, limits, parseDeviceId } from "@sotto/protocol";
import {
  type DevicePublic,
  type LinkAnswer,
  LinkAnswerSchema,
  LinkCounterSchema,
  LinkOfferSchema,
} from "@sotto/protocol/devices";
import type { Archive } from "../archive/archive.ts";
import { randomBytes } from "../bytes.ts";
import { pinnedLogKey } from "../directory/pinned-log-key.ts";
import { SottoClientError } from "../errors.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import { cleanDeviceName } from "./device-name.ts";
import { LinkChannel } from "./link-channel.ts";
import { type LinkMailbox, LinkTalk } from "./link-mailbox.ts";
import { submitRecord } from "./own-chain.ts";

/** A device that was linked. */
export interface LinkedDevice {
  readonly device: DeviceId;
  readonly name: string;
}

const onlineTimeoutMs = 30_000;
const endedHere = "it was ended on the other device";
/** A device that has made its offer answers at once, or is gone. */
const answerTimeoutMs = 60_000;
/** A long history may be longer on its way than somebody waits for a new device. */
const handOverTimeoutMs = 20_000;

/**
 * A link that waits for a new device: shows a code, and signs in the one device that comes with it. Whoever
 * has the code is taken to be the person; it is good once, for `limits.linkLifetimeMs`.
 */
export class Link {
  /** To be shown to the new device, and to nobody else. */
  readonly code: string;
  readonly #context: RoomContext;
  readonly #archive: Archive;
  readonly #talk: LinkTalk;
  readonly #ends: AbortSignal;

  private constructor(context: RoomContext, archive: Archive, code: string, talk: LinkTalk) {
    this.#context = context;
    this.#archive = archive;
    this.code = code;
    this.#talk = talk;
    this.#ends = AbortSignal.timeout(limits.linkLifetimeMs);
  }

  /** Opens a mailbox at the server. */
  static async open(context: RoomContext, archive: Archive): Promise<Link> {
    const { profile } = context;
    // Whoever is shown a false directory signs nobody in by it.
    const refusal = context.directory.refusal();
    if (refusal) throw refusal;
    const secret = randomBytes(32);
    const channel = await LinkChannel.of(secret);
    const connection = await context.online(onlineTimeoutMs);
    await connection.request({ case: "openLink", value: { channel: channel.channel } }, "done");
    const logKey = await pinnedLogKey(context.store);
    const code = makeLinkCode({
      ...profile.server,
      serverKeySha256: profile.serverKeySha256,
      ...(logKey ? { logKey } : {}),
      secret,
    });
    return new Link(
      context,
      archive,
      code,
      new LinkTalk(mailboxOf(context), channel, context.clock),
    );
  }

  /**
   * Waits for a new device and signs it in. `onOffer` hears its name before anything is signed. Rejects with
   * LINK_ENDED where the code was not used in time, with the server's refusal, or with the signal's reason;
   * the new device is told.
   */
  async complete(
    signal: AbortSignal,
    onOffer: (device: LinkedDevice) => void = () => {},
  ): Promise<LinkedDevice> {
    const ends = AbortSignal.any([signal, this.#ends, this.#context.signal]);
    const state = { next: 1 };
    try {
      const device = readOffer(await this.#talk.hear(0, ends));
      const linked = { device: device.id, name: cleanDeviceName(device.name) };
      onOffer(linked);
      const index = await submitRecord(this.#context, async (place) => {
        const { directory, submitted } = this.#context.directory;
        const added = directory.device(device.id);
        if (added && submitted.has(added.recordHash)) return undefined;
        // Cut off before, it came by another code: it is there once, and does not answer here any more.
        if (added) throw new SottoClientError("REFUSED", "that device was added already");
        const counter = await this.#propose(place, state, ends);
        const { profile, signKey } = this.#context;
        const accepted = { publicKey: device.sign, sign: async () => counter };
        const by = { device: profile.device, signer: signKey };
        return await addDeviceRecord(place, device, accepted, by);
      });
      await this.#handOver(linked.device);
      await this.#sayDone(index ?? 0, state.next);
      return linked;
    } catch (error) {
      const why = signal.aborted || !(error instanceof Error) ? endedHere : error.message;
      await this.#sayRefused(why, state.next);
      if (this.#ends.aborted && !signal.aborted) {
        throw new SottoClientError("LINK_ENDED", "nobody used the code in time; make a new one");
      }
      throw error;
    }
  }

  /** Gives the new device what this one remembers. Where that cannot be now, it comes a little later. */
  async #handOver(device: DeviceId): Promise<void> {
    const late = this.#context.clock.sleep(handOverTimeoutMs, this.#context.signal);
    const given = this.#archive.flush().then(() => this.#archive.grantDevice(device));
    await Promise.race([given, late]).catch(() => this.#archive.wake());
  }

  /** Shows the new device its place in the chain, and hears its word for it. */
  async #propose(
    place: ChainPlace,
    state: { next: number },
    ends: AbortSignal,
  ): Promise<Uint8Array> {
    const number = state.next;
    // The last odd number is kept for how it ended.
    if (number + 2 >= limits.linkMessagesMax) {
      throw new SottoClientError(
        "REFUSED",
        "your other devices changed your identity again and again; link once more",
      );
    }
    const proposal = {
      user: fromHex(place.user),
      userName: this.#context.profile.name,
      seq: BigInt(place.seq),
      prev: fromHex(place.prev),
      iat: BigInt(place.at),
      ...(await this.#vouched()),
    };
    await this.#say(
      number,
      { case: "proposal", value: { $typeName: "sotto.v1.LinkProposal", ...proposal } },
      ends,
    );
    state.next = number + 2;
    const late = AbortSignal.timeout(answerTimeoutMs);
    try {
      const answer = await this.#talk.hear(number + 1, AbortSignal.any([ends, late]));
      return fromBinary(LinkCounterSchema, answer).counter;
    } catch (error) {
      if (!late.aborted) throw error;
      throw new SottoClientError("LINK_ENDED", "the new device went away; make a new code");
    }
  }

  async #sayDone(index: number, number: number): Promise<void> {
    const done = { index: BigInt(index), ...(await this.#vouched()) };
    await this.#say(
      number,
      { case: "done", value: { $typeName: "sotto.v1.LinkDone", ...done } },
      AbortSignal.timeout(answerTimeoutMs),
    );
  }

  /** What the new device has this one's word for, and holds the server to. */
  async #vouched() {
    const { directory, profile, store } = this.#context;
    const { size, root } = await directory.directory.head();
    const logKey = (await pinnedLogKey(store)) ?? new Uint8Array();
    return { suite: profile.suite, directorySize: BigInt(size), directoryRoot: root, logKey };
  }

  /** So that the other side does not wait in vain; where it cannot be told, the mailbox ends by itself. */
  async #sayRefused(why: string, number: number): Promise<void> {
    const signal = AbortSignal.timeout(2_000);
    await this.#say(number, { case: "refused", value: why.slice(0, 500) }, signal).catch(() => {});
  }

  async #say(number: number, body: LinkAnswer["body"], signal: AbortSignal): Promise<void> {
    const answer = toBinary(LinkAnswerSchema, create(LinkAnswerSchema, { body }));
    await this.#talk.say(number, answer, signal);
  }
}

/** The device in an offer. Rejects what no record could carry. */
function readOffer(bytes: Uint8Array): DeviceDescription {
  try {
    const { version, device } = fromBinary(LinkOfferSchema, bytes);
    if (version !== 1 || !device) throw new RangeError("an offer of another version");
    return describe(device);
  } catch (cause) {
    throw new SottoClientError(
      "REFUSED",
      "the new device speaks another version of Sotto; update both",
      { cause },
    );
  }
}

function describe({ id, name, auth, sign, mls, seal }: DevicePublic): DeviceDescription {
  return { id: parseDeviceId(id), name, auth, sign, mls, seal };
}

/** The mailbox as a device reaches it that is logged in. */
function mailboxOf(context: RoomContext): LinkMailbox {
  return {
    async put(channel, number, sealed) {
      const connection = await context.online(onlineTimeoutMs, context.signal);
      const value = { channel, number, sealed };
      await connection.request({ case: "putLink", value }, "done");
    },
    async get(channel, number) {
      const connection = await context.online(onlineTimeoutMs, context.signal);
      const value = { channel, number };
      const { sealed } = await connection.request({ case: "getLink", value }, "linkMessage");
      return sealed.length > 0 ? sealed : undefined;
    },
  };
}
