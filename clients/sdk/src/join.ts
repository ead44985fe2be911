import { systemClock } from "@sotto/clock";
import {
  arrivalProof,
  createUserRecord,
  generateEd25519,
  type Invite,
  inviteKeys,
  parseInvite,
  signerFromSeed,
} from "@sotto/identity";
import { generateSealingKey } from "@sotto/mls";
import { foldName, parseDeviceId, parseUserId } from "@sotto/protocol";
import { randomBytes } from "./bytes.ts";
import { Connection } from "./connection/connection.ts";
import { checkServer } from "./connection/server-proof.ts";
import { SottoClientError, serverError } from "./errors.ts";
import type { ProfileStore, StoreChange } from "./ports/profile-store.ts";
import type { Transport } from "./ports/transport.ts";
import { loadProfile, type Profile, profileChanges } from "./profile.ts";

export interface JoinOptions {
  /** `sotto://…` or `https://…/i#…`. */
  readonly invite: string;
  readonly name: string;
  readonly store: ProfileStore;
  readonly transport: Transport;
  readonly suite?: "x-wing" | "classical";
  readonly signal?: AbortSignal;
}

const registerTimeoutMs = 15_000;

/**
 * Makes an account with an invite, and a profile in `store`. Rejects with `SottoClientError`
 * (BAD_INVITE, PROFILE_EXISTS, NOT_REACHABLE, WRONG_SERVER) or with the server's `SottoError`
 * (INVITE_USED, INVITE_EXPIRED, NAME_TAKEN, …).
 */
export async function join(options: JoinOptions): Promise<Profile> {
  const name = foldName(options.name);
  if (await loadProfile(options.store)) {
    throw new SottoClientError(
      "PROFILE_EXISTS",
      "this profile belongs to somebody already; use another --home for another person",
    );
  }
  const invite = readInvite(options.invite);
  const { profile, record } = await newAccount(invite, name, options.suite ?? "x-wing");
  const signal = AbortSignal.any([
    AbortSignal.timeout(registerTimeoutMs),
    ...(options.signal ? [options.signal] : []),
  ]);
  const events = { event: () => {}, record: () => {}, closed: () => {} };
  const { connection, hello, transport } = await Connection.open(
    options.transport,
    profile.server,
    events,
    signal,
  );
  try {
    await checkServer(hello, transport, invite.serverKeySha256, systemClock.now());
    const { serverToken } = await inviteKeys(invite.secret);
    // The keys are kept before the server hears of them: an account whose keys are lost is lost. Where the
    // answer is lost, the account may stand: the profile stays, and its login shows whether it does.
    await options.store.commit([...profileChanges(profile), joiningChange]);
    await connection.request({ case: "register", value: { serverToken, record } }, "registered");
    await options.store.commit([{ table: "meta", key: "joining", value: undefined }]);
    return profile;
  } catch (error) {
    if (serverError(error)) await options.store.commit(forgetChanges);
    throw error;
  } finally {
    connection.close();
  }
}

/** Marks a profile whose registration was not answered yet. */
const joiningChange: StoreChange = { table: "meta", key: "joining", value: new Uint8Array([1]) };
const forgetChanges: readonly StoreChange[] = [
  { table: "meta", key: "profile", value: undefined },
  { table: "meta", key: "joining", value: undefined },
];

function readInvite(text: string): Invite {
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

async function newAccount(
  invite: Invite,
  name: string,
  suite: Profile["suite"],
): Promise<{ profile: Profile; record: Uint8Array }> {
  const [auth, sign, mls, seal] = await Promise.all([
    generateEd25519(),
    generateEd25519(),
    generateEd25519(),
    generateSealingKey(),
  ]);
  const user = parseUserId(randomBytes(16));
  const device = parseDeviceId(randomBytes(16));
  const { inviteKey } = await inviteKeys(invite.secret);
  const proof = await arrivalProof(inviteKey, {
    user,
    device,
    sign: sign.publicKey,
    mls: mls.publicKey,
  });
  const record = await createUserRecord({
    user,
    name,
    at: systemClock.now(),
    device: {
      id: device,
      name: "first",
      auth: auth.publicKey,
      sign: sign.publicKey,
      mls: mls.publicKey,
      seal: seal.publicKey,
    },
    invite: { key: inviteKey.publicKey, proof },
    signer: await signerFromSeed(sign.seed),
  });
  const secrets = { auth: auth.seed, sign: sign.seed, mls: mls.seed, seal: seal.privateKey };
  const server = { host: invite.host, port: invite.port };
  return {
    profile: {
      user,
      device,
      name,
      server,
      serverKeySha256: invite.serverKeySha256,
      suite,
      secrets,
    },
    record,
  };
}
