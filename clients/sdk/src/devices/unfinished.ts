import { signerFromSeed } from "@sotto/identity";
import { sealingKeyOf } from "@sotto/mls";
import { ErrorCode } from "@sotto/protocol";
import { equalBytes, textOf, utf8 } from "../bytes.ts";
import { authenticate } from "../connection/session.ts";
import { isConnectionLoss, SottoClientError, serverError } from "../errors.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { Transport } from "../ports/transport.ts";
import { forgetProfile, loadProfile, type Profile } from "../profile.ts";
import { cleanDeviceName } from "./device-name.ts";
import { type NewDevice, newDevice } from "./new-device.ts";
import { greet } from "./stranger.ts";

/** How a profile was begun: what has to be done again where it did not come to an end. */
export type Beginning = "join" | "link" | "recover";

/** A profile whose record may stand at the server or not: its answer was lost. */
export interface Unfinished {
  readonly profile: Profile;
  readonly beginning: Beginning;
}

const key = "joining";

/**
 * Marks a profile whose keys are kept and whose record the server has not confirmed; `undefined` takes the mark away.
 * Its keys are never dropped while the record may stand: whoever begins again does it with the same ones, so that one
 * machine never becomes two devices.
 */
export function beginningChange(beginning: Beginning | undefined): StoreChange {
  return { table: "meta", key, value: beginning && utf8(beginning) };
}

/** True where a profile was begun here, and it is not known that it came to be. */
export async function isUnfinished(store: ProfileStore): Promise<boolean> {
  return (await beginningOf(store)) !== undefined;
}

/** How the stored profile was begun; `undefined` where it came to its end. */
async function beginningOf(store: ProfileStore): Promise<Beginning | undefined> {
  const value = await store.get("meta", key);
  if (!value) return undefined;
  const text = textOf(value);
  return text === "link" || text === "recover" ? text : "join";
}

/** The profile that was begun here and not finished, if any. Rejects with PROFILE_EXISTS for a whole one. */
export async function unfinishedProfile(store: ProfileStore): Promise<Unfinished | undefined> {
  const profile = await loadProfile(store);
  if (!profile) return undefined;
  const beginning = await beginningOf(store);
  if (!beginning) throw profileExists();
  return { profile, beginning };
}

/**
 * The profile in the store, where a client may be opened on it. Rejects with NO_PROFILE where there is none, UNFINISHED
 * where a recovery is not over: its archive can be handed over with the phrase only.
 */
export async function openableProfile(
  store: ProfileStore,
): Promise<{ profile: Profile; beginning: Beginning | undefined }> {
  const profile = await loadProfile(store);
  if (!profile)
    throw new SottoClientError(
      "NO_PROFILE",
      "there is no profile here yet; join with an invite first",
    );
  const beginning = await beginningOf(store);
  if (beginning === "recover") throw notFinished(beginning);
  return { profile, beginning };
}

const sameAgain: Readonly<Record<Beginning, string>> = {
  join: "do it again: sotto join with your invite",
  link: "do it again: sotto link on your other device, and here sotto join --link with the new code",
  recover: "do it again: sotto recover with the same words",
};

/** What somebody is told whose device the server does not know, because its record was never stored. */
export function notFinished(beginning: Beginning, cause?: unknown): SottoClientError {
  const how = sameAgain[beginning];
  return new SottoClientError(
    "UNFINISHED",
    `setting this profile up did not come to its end: ${how}`,
    { cause },
  );
}

/**
 * Logs in with the keys of an unfinished profile. "known": its record stands; "unknown": the server has no such
 * device, now; "revoked": it had one, and nothing will come of these keys. Rejects with NOT_REACHABLE, WRONG_SERVER or
 * the server's other refusals.
 */
export async function standingOf(
  { profile }: Unfinished,
  transport: Transport,
  signal: AbortSignal,
): Promise<"known" | "unknown" | "revoked"> {
  const { server, serverKeySha256, device, secrets } = profile;
  try {
    const greeted = await greet(transport, server, serverKeySha256, signal);
    try {
      const authKey = await signerFromSeed(secrets.auth);
      const options = { device, authKey, quiet: () => true };
      await authenticate(greeted.connection, greeted.hello, greeted.transport, options);
      return "known";
    } finally {
      greeted.connection.close();
    }
  } catch (error) {
    const code = serverError(error)?.code;
    if (code === ErrorCode.DEVICE_REVOKED) return "revoked";
    if (code === ErrorCode.UNKNOWN_DEVICE || code === ErrorCode.BAD_SIGNATURE) return "unknown";
    if (!isConnectionLoss(error)) throw error;
    throw new SottoClientError(
      "NOT_REACHABLE",
      `this profile was begun on ${server.host}:${server.port}, which has to say whether it came to be and is not reachable: try again later, or use another --home`,
      { cause: error },
    );
  }
}

/** What an earlier attempt in this store comes to. */
export type Earlier =
  /** There was none, or nothing of it is of use any more. */
  | { readonly kind: "none" }
  /** Its record does not stand: begin again with its keys. */
  | { readonly kind: "again"; readonly profile: Profile; readonly beginning: Beginning }
  /** Its record stands, and it was begun in the same way at the same server. */
  | { readonly kind: "done"; readonly profile: Profile };

/**
 * Looks at what was begun in this store before something is begun in it. Rejects with PROFILE_EXISTS where it is
 * somebody's, also where only now it turns out that it is.
 */
export async function earlierAttempt(input: {
  readonly store: ProfileStore;
  readonly beginning: Beginning;
  readonly serverKeySha256: Uint8Array;
  readonly transport: Transport;
  readonly signal: AbortSignal;
}): Promise<Earlier> {
  const { store, beginning, serverKeySha256, transport, signal } = input;
  const begun = await unfinishedProfile(store);
  if (!begun) return { kind: "none" };
  const { profile } = begun;
  const standing = await standingOf(begun, transport, signal);
  const sameServer = equalBytes(profile.serverKeySha256, serverKeySha256);
  if (standing === "known") {
    if (begun.beginning === beginning && sameServer) return { kind: "done", profile };
    if (begun.beginning === "recover") throw notFinished("recover");
    // A link's client still holds the directory against what the other device vouched for.
    await store.commit([beginningChange(undefined)]);
    throw profileExists();
  }
  if (standing === "unknown" && sameServer) return { kind: "again", ...begun };
  await forgetProfile(store);
  return { kind: "none" };
}

/** The device of an earlier attempt under the name that it has now, or a new one. */
export async function deviceFor(earlier: Earlier, name: string): Promise<NewDevice> {
  if (earlier.kind === "none") return await newDevice(name);
  const { device, secrets } = earlier.profile;
  const [auth, sign, mls, seal] = await Promise.all([
    signerFromSeed(secrets.auth),
    signerFromSeed(secrets.sign),
    signerFromSeed(secrets.mls),
    sealingKeyOf(secrets.seal),
  ]);
  return {
    description: {
      id: device,
      name: cleanDeviceName(name),
      auth: auth.publicKey,
      sign: sign.publicKey,
      mls: mls.publicKey,
      seal: seal.publicKey,
    },
    secrets,
    signer: sign,
  };
}

function profileExists(): SottoClientError {
  return new SottoClientError(
    "PROFILE_EXISTS",
    "this profile belongs to somebody already; use another --home for another person",
  );
}
