import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { systemClock } from "@sotto/clock";
import { acceptDevice, type ChainPlace, type LinkCode, parseLinkCode } from "@sotto/identity";
import { fromHex, limits, parseUserId, toHex, toSafeNumber, type UserId } from "@sotto/protocol";
import {
  type LinkAnswer,
  LinkAnswerSchema,
  LinkCounterSchema,
  type LinkDone,
  LinkOfferSchema,
  type LinkProposal,
} from "@sotto/protocol/devices";
import { owedHeadChange } from "../directory/owed-head.ts";
import { logKeyChanges } from "../directory/pinned-log-key.ts";
import { SottoClientError } from "../errors.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import type { Transport } from "../ports/transport.ts";
import { forgetProfile, freshProfile, type Profile, profileChanges } from "../profile.ts";
import { checkFirstDirectory } from "./first-directory.ts";
import { LinkChannel } from "./link-channel.ts";
import { type LinkMailbox, LinkTalk } from "./link-mailbox.ts";
import { type NewDevice, newDevice } from "./new-device.ts";
import { type Greeted, greet } from "./stranger.ts";

export interface LinkJoinOptions {
  /** What the other device shows: `sotto://host:port/l#…`. */
  readonly code: string;
  /** How this device is called in lists. */
  readonly deviceName: string;
  readonly store: ProfileStore;
  readonly transport: Transport;
  readonly signal?: AbortSignal;
}

/**
 * Makes this store a further device of the person who shows the code, and a profile in it. Rejects with
 * BAD_INVITE, PROFILE_EXISTS, NOT_REACHABLE, WRONG_SERVER, LINK_ENDED (expired, used, or ended by the other
 * side), SERVER_MISBEHAVED where the server shows another directory than the other device knows.
 */
export async function joinByLink(options: LinkJoinOptions): Promise<Profile> {
  const { store, transport } = options;
  await freshProfile(store);
  const code = readCode(options.code);
  const device = await newDevice(options.deviceName);
  const signal = AbortSignal.any([
    AbortSignal.timeout(limits.linkLifetimeMs),
    ...(options.signal ? [options.signal] : []),
  ]);
  await using mailbox = new StrangersMailbox(transport, code, signal);
  // Who is not reachable, or not the right server, is told at once and not tried for minutes.
  await mailbox.connect();
  const talk = new LinkTalk(mailbox, await LinkChannel.of(code.secret), systemClock);
  const { user, name, done } = await converse(talk, device, signal);
  const profile: Profile = {
    user,
    device: device.description.id,
    name,
    server: { host: code.host, port: code.port },
    serverKeySha256: code.serverKeySha256,
    suite: done.suite === "classical" ? "classical" : "x-wing",
    secrets: device.secrets,
  };
  const logKey = code.logKey ?? done.logKey;
  const head = { size: toSafeNumber(done.directorySize), root: done.directoryRoot };
  // The head stays until the directory was held against it, also where a server cuts the connection here.
  const kept = [...profileChanges(profile), ...logKeyChanges(logKey), owedHeadChange(head)];
  await store.commit(kept);
  try {
    await checkFirstDirectory({ profile, store, transport, signal, head });
  } catch (error) {
    const lied =
      error instanceof SottoClientError &&
      (error.code === "SERVER_MISBEHAVED" || error.code === "DIRECTORY_FORK");
    if (lied) await forgetProfile(store);
    throw error;
  }
  return profile;
}

/** Offers this device, accepts the places that it is shown, until the record stands. */
async function converse(
  talk: LinkTalk,
  device: NewDevice,
  signal: AbortSignal,
): Promise<{ user: UserId; name: string; done: LinkDone }> {
  const { id, name, auth, sign, mls, seal } = device.description;
  const offer = { version: 1, device: { id: fromHex(id), name, auth, sign, mls, seal } };
  await talk.say(0, toBinary(LinkOfferSchema, create(LinkOfferSchema, offer)), signal);
  let proposed: LinkProposal | undefined;
  for (let number = 1; number < limits.linkMessagesMax; number += 2) {
    const { body } = fromBinary(LinkAnswerSchema, await talk.hear(number, signal));
    if (body.case === "proposal") {
      proposed = body.value;
      const counter = await acceptDevice(placeOf(proposed), device.description, device.signer);
      const word = toBinary(LinkCounterSchema, create(LinkCounterSchema, { counter }));
      await talk.say(number + 1, word, signal);
    } else if (body.case === "done" && proposed) {
      return { user: parseUserId(proposed.user), name: proposed.userName, done: body.value };
    } else throw refused(body);
  }
  throw new SottoClientError("LINK_ENDED", "the link did not come to an end; make a new code");
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
