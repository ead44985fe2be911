import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { systemClock } from "@sotto/clock";
import { acceptDevice, type ChainPlace, type LinkCode, parseLinkCode } from "@sotto/identity";
import { fromHex, limits, parseUserId, toHex, toSafeNumber } from "@sotto/protocol";
import {
  type LinkAnswer,
  LinkAnswerSchema,
  LinkCounterSchema,
  type LinkDone,
  LinkOfferSchema,
  type LinkProposal,
} from "@sotto/protocol/devices";
import { owedHead, owedHeadChange } from "../directory/owed-head.ts";
import { logKeyChanges } from "../directory/pinned-log-key.ts";
import { SottoClientError } from "../errors.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import type { Transport } from "../ports/transport.ts";
import { forgetProfile, type Profile, profileChanges } from "../profile.ts";
import { checkFirstDirectory } from "./first-directory.ts";
import { LinkChannel } from "./link-channel.ts";
import { type LinkMailbox, LinkTalk } from "./link-mailbox.ts";
import type { NewDevice } from "./new-device.ts";
import { type Greeted, greet } from "./stranger.ts";
import { beginningChange, deviceFor, earlierAttempt, unfinishedProfile } from "./unfinished.ts";

/** How a further device of a person comes in. */
export interface LinkJoinOptions {
  /** What the other device shows: `sotto://host:port/l#…`. */
  readonly code: string;
  /** How this device is called in lists. */
  readonly deviceName: string;
  /** An empty one: it becomes the profile of the new device. It stays the caller's. */
  readonly store: ProfileStore;
  /** How the server is reached: `tlsTransport`, or a WebSocket one. */
  readonly transport: Transport;
  /** Ends the attempt with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Makes this store a further device of the person who shows the code, and a profile in it. Where an earlier attempt in
 * this store was cut off, it goes on with that one's keys; where that device stands by now, the code stays unused.
 * Rejects with BAD_INVITE, PROFILE_EXISTS, NOT_REACHABLE, WRONG_SERVER, LINK_ENDED (expired, used, or ended by the
 * other side), SERVER_MISBEHAVED where the server shows another directory than the other device knows.
 */
export async function joinByLink(options: LinkJoinOptions): Promise<Profile> {
  const { store, transport } = options;
  await unfinishedProfile(store);
  const code = readCode(options.code);
  const signal = AbortSignal.any([
    AbortSignal.timeout(limits.linkLifetimeMs),
    ...(options.signal ? [options.signal] : []),
  ]);
  const { serverKeySha256 } = code;
  const at = { store, beginning: "link", serverKeySha256, transport, signal } as const;
  const earlier = await earlierAttempt(at);
  if (earlier.kind === "done") return await finish(earlier.profile, { store, transport, signal });
  const device = await deviceFor(earlier, options.deviceName);
  await using mailbox = new StrangersMailbox(transport, code, signal);
  // Who is not reachable, or not the right server, is told at once and not tried for minutes.
  await mailbox.connect();
  const talk = new LinkTalk(mailbox, await LinkChannel.of(code.secret), systemClock);
  const profile = await converse({ talk, device, code, store, signal });
  return await finish(profile, { store, transport, signal });
}

/** Holds the directory against the head that the other device vouches for; the device is whole then. */
async function finish(
  profile: Profile,
  at: Pick<LinkJoinOptions, "store" | "transport"> & { readonly signal: AbortSignal },
): Promise<Profile> {
  const { store } = at;
  try {
    const head = await owedHead(store);
    if (head) await checkFirstDirectory({ ...at, profile, head });
    await store.commit([beginningChange(undefined)]);
    return profile;
  } catch (error) {
    const lied =
      error instanceof SottoClientError &&
      (error.code === "SERVER_MISBEHAVED" || error.code === "DIRECTORY_FORK");
    if (lied) await forgetProfile(store);
    throw error;
  }
}

interface Conversation {
  readonly talk: LinkTalk;
  readonly device: NewDevice;
  readonly code: LinkCode;
  readonly store: ProfileStore;
  readonly signal: AbortSignal;
}

/**
 * Offers this device, accepts the places that it is shown, until the record stands. From its first acceptance on the
 * device may stand, whoever hears the last word: its keys are kept before, with all that it needs to log in.
 */
async function converse(conversation: Conversation): Promise<Profile> {
  const { talk, device, signal } = conversation;
  const { id, name, auth, sign, mls, seal } = device.description;
  const offer = { version: 1, device: { id: fromHex(id), name, auth, sign, mls, seal } };
  await talk.say(0, toBinary(LinkOfferSchema, create(LinkOfferSchema, offer)), signal);
  let profile: Profile | undefined;
  for (let number = 1; number < limits.linkMessagesMax; number += 2) {
    const { body } = fromBinary(LinkAnswerSchema, await talk.hear(number, signal));
    if (body.case === "proposal") {
      const { user, userName } = body.value;
      profile = await keep(conversation, { user: parseUserId(user), name: userName }, body.value);
      const counter = await acceptDevice(placeOf(body.value), device.description, device.signer);
      const word = toBinary(LinkCounterSchema, create(LinkCounterSchema, { counter }));
      await talk.say(number + 1, word, signal);
    } else if (body.case === "done" && profile) {
      return await keep(conversation, profile, body.value);
    } else throw refused(body);
  }
  throw new SottoClientError("LINK_ENDED", "the link did not come to an end; make a new code");
}

/** Keeps the profile that this device has where its record stands. */
async function keep(
  { device, code, store }: Conversation,
  { user, name }: Pick<Profile, "user" | "name">,
  vouched: Pick<LinkDone, "suite" | "directorySize" | "directoryRoot" | "logKey">,
): Promise<Profile> {
  const { host, port, serverKeySha256 } = code;
  const profile: Profile = {
    ...{ user, name, device: device.description.id, secrets: device.secrets },
    ...{ server: { host, port }, serverKeySha256 },
    suite: vouched.suite === "classical" ? "classical" : "x-wing",
  };
  const head = { size: toSafeNumber(vouched.directorySize), root: vouched.directoryRoot };
  await store.commit([
    ...profileChanges(profile),
    ...logKeyChanges(code.logKey ?? vouched.logKey),
    // It stays until the directory was held against it, also where a server cuts the connection before.
    owedHeadChange(head),
    beginningChange("link"),
  ]);
  return profile;
}

function refused(body: LinkAnswer["body"]): SottoClientError {
  const why = body.case === "refused" ? body.value : "the other device answered what it should not";
  return new SottoClientError("LINK_ENDED", `the other device ended the link: ${why}`);
}

function placeOf({ user, seq, prev, iat }: LinkProposal): ChainPlace {
  return {
    user: parseUserId(user),
    seq: toSafeNumber(seq),
    prev: toHex(prev),
    at: toSafeNumber(iat),
  };
}

function readCode(text: string): LinkCode {
  try {
    return parseLinkCode(text);
  } catch (cause) {
    throw new SottoClientError(
      "BAD_INVITE",
      "that is not a whole code of sotto link; copy all of it, the part after # included",
      { cause },
    );
  }
}

/** The mailbox as somebody reaches it who is not logged in: on connections that the server ends soon. */
class StrangersMailbox implements LinkMailbox, AsyncDisposable {
  readonly #transport: Transport;
  readonly #code: LinkCode;
  readonly #signal: AbortSignal;
  #greeted: Greeted | undefined;

  constructor(transport: Transport, code: LinkCode, signal: AbortSignal) {
    this.#transport = transport;
    this.#code = code;
    this.#signal = signal;
  }

  async connect(): Promise<Greeted["connection"]> {
    if (!this.#greeted || this.#greeted.connection.closed) {
      const { serverKeySha256 } = this.#code;
      this.#greeted = await greet(this.#transport, this.#code, serverKeySha256, this.#signal);
    }
    return this.#greeted.connection;
  }

  async put(channel: Uint8Array, number: number, sealed: Uint8Array): Promise<void> {
    const value = { channel, number, sealed };
    await (await this.connect()).request({ case: "putLink", value }, "done");
  }

  async get(channel: Uint8Array, number: number): Promise<Uint8Array | undefined> {
    const value = { channel, number };
    const connection = await this.connect();
    const { sealed } = await connection.request({ case: "getLink", value }, "linkMessage");
    return sealed.length > 0 ? sealed : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#greeted?.connection.close();
  }
}
