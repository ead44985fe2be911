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
import { newDevice } from "./devices/new-device.ts";
import { greet } from "./devices/stranger.ts";
import { logKeyChanges } from "./directory/pinned-log-key.ts";
import { SottoClientError, serverError } from "./errors.ts";
import type { ProfileStore, StoreChange } from "./ports/profile-store.ts";
import type { Transport } from "./ports/transport.ts";
import { forgetProfile, freshProfile, type Profile, profileChanges } from "./profile.ts";

export interface JoinOptions {
  /** `sotto://…` or `https://…/i#…`. */
  readonly invite: string;
  /** How others call this person. An invite with which an identity begins anew says it itself. */
  readonly name?: string;
  readonly store: ProfileStore;
  readonly transport: Transport;
  /** How this device is called in lists. Default "device". */
  readonly deviceName?: string;
  /** Where the invite does not say how people there seal. Default "x-wing". */
  readonly suite?: "x-wing" | "classical";
  readonly signal?: AbortSignal;
}

const registerTimeoutMs = 15_000;

/**
 * Makes an account with an invite, or begins its identity anew where the invite is for that, and a profile in
 * `store`. Rejects with `SottoClientError`
 * (BAD_INVITE, PROFILE_EXISTS, NOT_REACHABLE, WRONG_SERVER) or with the server's `SottoError`
 * (INVITE_USED, INVITE_EXPIRED, NAME_TAKEN, …).
 */
export async function join(options: JoinOptions): Promise<Profile> {
  await freshProfile(options.store);
  const invite = readInvite(options.invite);
  const name = nameFor(invite, options.name);
  const suite = invite.suite ?? options.suite;
  const { profile, record } = await newAccount(invite, name, {
    ...options,
    ...(suite ? { suite } : {}),
  });
  const signal = AbortSignal.any([
    AbortSignal.timeout(registerTimeoutMs),
    ...(options.signal ? [options.signal] : []),
  ]);
  const { transport } = options;
  const { connection } = await greet(transport, profile.server, invite.serverKeySha256, signal);
  try {
    const { serverToken } = await inviteKeys(invite.secret);
    // The keys are kept before the server hears of them: an account whose keys are lost is lost. Where the
    // answer is lost, the account may stand: the profile stays, and its login shows whether it does.
    const kept = [...profileChanges(profile), ...logKeyChanges(invite.logKey), joiningChange];
    await options.store.commit(kept);
    await connection.request({ case: "register", value: { serverToken, record } }, "registered");
    await options.store.commit([{ table: "meta", key: "joining", value: undefined }]);
    return profile;
  } catch (error) {
    if (serverError(error)) await forgetProfile(options.store);
    throw error;
  } finally {
    connection.close();
  }
}

/** Marks a profile whose registration was not answered yet. */
const joiningChange: StoreChange = { table: "meta", key: "joining", value: new Uint8Array([1]) };

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
  { suite = "x-wing", deviceName = "device" }: Pick<JoinOptions, "suite" | "deviceName">,
): Promise<{ profile: Profile; record: Uint8Array }> {
  const { description, secrets, signer } = await newDevice(deviceName);
  const { id: device, sign, mls } = description;
  const user = invite.reset?.user ?? parseUserId(randomBytes(16));
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
