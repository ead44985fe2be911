import { systemClock } from "@sotto/clock";
import {
  arrivalProof,
  createUserRecord,
  type Invite,
  identityResetRecord,
  inviteKeys,
  parseInvite,
} from "@sotto/identity";
import { foldName, parseUserId, type UserName } from "@sotto/protocol";
import { randomBytes } from "./bytes.ts";
import { greet } from "./devices/stranger.ts";
import {
  beginningChange,
  deviceFor,
  type Earlier,
  earlierAttempt,
  standingOf,
  unfinishedProfile,
} from "./devices/unfinished.ts";
import { owedHeadChange } from "./directory/owed-head.ts";
import { logKeyChanges } from "./directory/pinned-log-key.ts";
import { mayPass, SottoClientError, serverError } from "./errors.ts";
import type { ProfileStore } from "./ports/profile-store.ts";
import type { Transport } from "./ports/transport.ts";
import { forgetProfile, type Profile, profileChanges } from "./profile.ts";
import { invitedRoomChanges } from "./rooms/invited-room.ts";

/** How somebody makes an account with an invite. */
export interface JoinOptions {
  /** `sotto://…` or `https://…/i#…`. */
  readonly invite: string;
  /** How others call this person. An invite with which an identity begins anew says it itself. */
  readonly name?: string;
  /** An empty one: it becomes the profile. It stays the caller's, for `SottoClient.open`. */
  readonly store: ProfileStore;
  /** How the server is reached: `tlsTransport`, or a WebSocket one. */
  readonly transport: Transport;
  /** How this device is called in lists. Default "device". */
  readonly deviceName?: string;
  /** Where the invite does not say how people there seal. Default "x-wing". */
  readonly suite?: "x-wing" | "classical";
  /** Ends the attempt with the signal's reason. */
  readonly signal?: AbortSignal;
}

const registerTimeoutMs = 15_000;

/**
 * Makes an account with an invite, or begins its identity anew where the invite is for that, and a profile in
 * `store`. Where an earlier attempt in this store lost its answer, it goes on with that one's keys: the account that
 * stands is the one that is answered. Rejects with `SottoClientError`
 * (BAD_INVITE, PROFILE_EXISTS, NOT_REACHABLE, WRONG_SERVER) or with the server's `SottoError`
 * (INVITE_USED, INVITE_EXPIRED, NAME_TAKEN, …).
 */
export async function join(options: JoinOptions): Promise<Profile> {
  const { store, transport } = options;
  await unfinishedProfile(store);
  const invite = readInvite(options.invite);
  const name = nameFor(invite, options.name);
  const suite = invite.suite ?? options.suite;
  const signal = AbortSignal.any([
    AbortSignal.timeout(registerTimeoutMs),
    ...(options.signal ? [options.signal] : []),
  ]);
  const { serverKeySha256 } = invite;
  const at = { store, beginning: "join", serverKeySha256, transport, signal } as const;
  const earlier = await earlierAttempt(at);
  if (earlier.kind === "done") return await finished(store, earlier.profile);
  const { profile, record } = await newAccount(invite, name, earlier, {
    ...options,
    ...(suite ? { suite } : {}),
  });
  const { connection } = await greet(transport, profile.server, serverKeySha256, signal);
  try {
    const { serverToken } = await inviteKeys(invite.secret);
    // The keys are kept before the server hears of them: an account whose keys are lost is lost. Where the
    // answer is lost, the account may stand: the profile stays, and its login shows whether it does.
    const { inviter, logKey } = invite;
    const owed = inviter && { ...inviter.head, inviter };
    const kept = [...profileChanges(profile), ...logKeyChanges(logKey), owedHeadChange(owed)];
    kept.push(...invitedRoomChanges(invite));
    await store.commit([...kept, beginningChange("join")]);
    await connection.request({ case: "register", value: { serverToken, record } }, "registered");
  } catch (error) {
    if (!serverError(error) || mayPass(error)) throw error;
    // What was sent before may have come first.
    const stands =
      earlier.kind === "again" &&
      (await standingOf({ profile, beginning: "join" }, transport, signal)) === "known";
    if (stands) return await finished(store, earlier.profile);
    await forgetProfile(store);
    throw error;
  } finally {
    connection.close();
  }
  return await finished(store, profile);
}

async function finished(store: ProfileStore, profile: Profile): Promise<Profile> {
  await store.commit([...profileChanges(profile), beginningChange(undefined)]);
  return profile;
}

function readInvite(text: string): Invite {
  if (/^\s*sotto:\/\/[^#]*\/l#/.test(text)) {
    throw new SottoClientError(
      "BAD_INVITE",
      "that is a code of sotto link: sotto join --link <code>",
    );
  }
  try {
    return parseInvite(text);
  } catch (cause) {
    throw new SottoClientError(
      "BAD_INVITE",
      "that is not a whole Sotto invite; copy all of it, the part after # included",
      {
        cause,
      },
    );
  }
}

/** The name that somebody has by an invite with which their identity begins anew. Throws BAD_INVITE. */
export function nameInInvite(invite: string): string | undefined {
  return readInvite(invite).reset?.name;
}

function nameFor({ reset }: Invite, wanted: string | undefined): UserName {
  const name = wanted === undefined ? reset?.name : foldName(wanted);
  if (name === undefined) throw new SottoClientError("BAD_INVITE", "a new account needs a name");
  if (reset && reset.name !== name)
    throw new SottoClientError("BAD_INVITE", `that invite is for ${reset.name} to begin anew`);
  return name;
}

async function newAccount(
  invite: Invite,
  name: UserName,
  earlier: Earlier,
  { suite = "x-wing", deviceName = "device" }: Pick<JoinOptions, "suite" | "deviceName">,
): Promise<{ profile: Profile; record: Uint8Array }> {
  const { description, secrets, signer } = await deviceFor(earlier, deviceName);
  const { id: device, sign, mls } = description;
  const again = earlier.kind === "again" && earlier.beginning === "join";
  const before = again && earlier.profile.name === name ? earlier.profile.user : undefined;
  const user = invite.reset?.user ?? before ?? parseUserId(randomBytes(16));
  const { inviteKey } = await inviteKeys(invite.secret);
  const proof = await arrivalProof(inviteKey, { user, device, sign, mls });
  const begins = {
    device: description,
    invite: { key: inviteKey.publicKey, proof },
    signer,
  };
  const at = systemClock.now();
  const { reset } = invite;
  const record = reset
    ? await identityResetRecord({ ...begins, place: { ...reset, at }, allowed: reset })
    : await createUserRecord({ ...begins, user, name, at });
  const { host, port, serverKeySha256 } = invite;
  const server = { host, port };
  return {
    profile: { user, device, name, server, serverKeySha256, suite, secrets },
    record,
  };
}
