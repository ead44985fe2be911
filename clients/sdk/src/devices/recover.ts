import { systemClock } from "@sotto/clock";
import {
  addDeviceRecord,
  type DirectoryUser,
  type Signer,
  signerFromSeed,
  standingDevices,
} from "@sotto/identity";
import type { SuiteName } from "@sotto/mls";
import { type DeviceId, ErrorCode, limits } from "@sotto/protocol";
import { Archive } from "../archive/archive.ts";
import { connectedArchive } from "../archive/archive-port.ts";
import { equalBytes } from "../bytes.ts";
import { allChecks } from "../checks.ts";
import type { Connection } from "../connection/connection.ts";
import { authenticate } from "../connection/session.ts";
import { DirectoryReplica } from "../directory/directory-replica.ts";
import { mayPass, SottoClientError, serverError } from "../errors.ts";
import { History } from "../history/history.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import type { Transport } from "../ports/transport.ts";
import { forgetProfile, type Profile, profileChanges } from "../profile.ts";
import { lostDevicesChange } from "./lost-devices.ts";
import { type NamedServer, namedServer } from "./named-server.ts";
import type { NewDevice } from "./new-device.ts";
import { submitRecord } from "./own-chain.ts";
import { parsePhrase, type RecoveryPhrase, recoveryDevice } from "./recovery-phrase.ts";
import { greet } from "./stranger.ts";
import { beginningChange, deviceFor, earlierAttempt, unfinishedProfile } from "./unfinished.ts";

/** How a person comes back by the words of a recovery phrase. */
export interface RecoverOptions {
  /** `host:port`, or any invite or link of that server: such a one pins its identity. */
  readonly server: string;
  /** The 24 words. */
  readonly phrase: string;
  /** How this device is called in lists. */
  readonly deviceName: string;
  /** Leaves the devices of before as they are. Default: they are lost, and revoked. */
  readonly keepDevices?: boolean;
  /** An empty one: it becomes the profile of the new device. It stays the caller's. */
  readonly store: ProfileStore;
  /** How the server is reached: `tlsTransport`, or a WebSocket one. */
  readonly transport: Transport;
  /** Ends the attempt with the signal's reason. */
  readonly signal?: AbortSignal;
}

const recoverTimeoutMs = 60_000;

/**
 * Makes this store a new device of the person whose recovery phrase it is given, and a profile in it. A client
 * that is opened on it comes into the person's rooms by itself, and then revokes the lost devices. Where an earlier
 * attempt in this store was cut off, it goes on with that one's keys. Rejects with
 * BAD_PHRASE, UNKNOWN_PHRASE (this server knows no such phrase), PROFILE_EXISTS, NOT_REACHABLE, WRONG_SERVER,
 * or with the server's refusal.
 */
export async function recover(options: RecoverOptions): Promise<Profile> {
  const { store, transport } = options;
  await unfinishedProfile(store);
  const server = namedServer(options.server);
  const phrase = parsePhrase(options.phrase);
  const signal = AbortSignal.any([
    AbortSignal.timeout(recoverTimeoutMs),
    ...(options.signal ? [options.signal] : []),
  ]);
  const login = await logInWithPhrase(transport, server, phrase, signal);
  const { connection, paper, suite, serverKeySha256 } = login;
  let profile: Profile | undefined;
  let stands = false;
  try {
    const at = { store, beginning: "recover", serverKeySha256, transport, signal } as const;
    const earlier = await earlierAttempt(at);
    const directory = await DirectoryReplica.open({
      store,
      checks: allChecks,
      serverKeySha256,
      now: () => systemClock.now(),
    });
    await directory.sync(connection);
    // Whoever is shown a false directory, or a part of it, signs nobody in by it.
    const refusal = directory.refusal();
    if (refusal) throw refusal;
    const user = userOf(directory, paper);
    const device = await deviceFor(earlier, options.deviceName);
    const { id } = device.description;
    const own = directory.directory.device(id);
    if (own && own.user !== user.id) throw anotherPerson();
    profile = {
      ...{ user: user.id, device: id, name: user.name },
      ...{ server: server.address, serverKeySha256, suite, secrets: device.secrets },
    };
    stands = own !== undefined;
    const { keepDevices = false } = options;
    const lost = keepDevices ? [] : otherDevicesOf(directory, profile);
    // The keys are kept before the server hears of them.
    const kept = [...profileChanges(profile), lostDevicesChange(lost)];
    await store.commit([...kept, beginningChange("recover")]);
    if (!stands)
      await signIn({ directory, connection, signal, profile, paper, device, keepDevices });
    stands = true;
    await handOver({ directory, connection, signal, profile, paper });
    await store.commit([beginningChange(undefined)]);
    return profile;
  } catch (error) {
    // What was told by a server that lies is dropped; keys whose record may stand never are.
    if (isLie(error) || (profile && !stands && isRefused(error))) await forgetProfile(store);
    throw error;
  } finally {
    connection.close();
  }
}

/** The person whose phrase it is. Throws SERVER_MISBEHAVED. */
function userOf({ directory }: DirectoryReplica, paper: NewDevice): DirectoryUser {
  const key = directory.device(paper.description.id);
  const same = key && equalBytes(key.keys.sign, paper.description.sign);
  const user = same && directory.user(key.user);
  if (!user || key.kind !== "recovery")
    throw new SottoClientError("SERVER_MISBEHAVED", "the server's directory lacks this phrase");
  return user;
}

function anotherPerson(): SottoClientError {
  return new SottoClientError(
    "PROFILE_EXISTS",
    "in this profile somebody else's recovery was begun; use another --home",
  );
}

function isLie(error: unknown): boolean {
  if (!(error instanceof SottoClientError)) return false;
  return error.code === "SERVER_MISBEHAVED" || error.code === "DIRECTORY_FORK";
}

/** True where the record was refused for good: by the rules here, or by the server. */
function isRefused(error: unknown): boolean {
  if (error instanceof SottoClientError) return error.code === "REFUSED";
  return serverError(error) !== undefined && !mayPass(error);
}

/**
 * The new device's record, signed by the phrase. Where there are as many devices as there may be, it takes the place of
 * the newest lost one in the same record; the others go only after the rooms were entered: they still vouch for this
 * person there.
 */
async function signIn(input: {
  readonly directory: DirectoryReplica;
  readonly connection: Connection;
  readonly signal: AbortSignal;
  readonly profile: Profile;
  readonly paper: NewDevice;
  readonly device: NewDevice;
  readonly keepDevices: boolean;
}): Promise<void> {
  const { directory, connection, signal, profile, paper, device, keepDevices } = input;
  const context = {
    directory,
    clock: systemClock,
    signal,
    profile,
    online: async () => connection,
  };
  const by = { device: paper.description.id, signer: paper.signer };
  await submitRecord(context, async (place) => {
    if (directory.directory.device(profile.device)) return undefined;
    const others = otherDevicesOf(directory, profile);
    const full = others.length >= limits.devicesPerUserMax;
    if (full && keepDevices)
      throw new SottoClientError(
        "REFUSED",
        "you have as many devices as there may be: recover without --keep-devices, or first revoke one of these " +
          `on another device: ${namesOf(directory, others)}`,
      );
    const replaces = full ? others.at(-1) : undefined;
    return await addDeviceRecord(place, device.description, device.signer, by, replaces);
  });
}

function namesOf({ directory }: DirectoryReplica, devices: readonly DeviceId[]): string {
  const name = (id: DeviceId) => directory.device(id)?.name ?? "";
  return devices.map((id) => `${name(id)} (${id.slice(0, 8)})`).join(", ");
}

/** The archive's keys, which the paper can open, for the new device. */
async function handOver(input: {
  readonly directory: DirectoryReplica;
  readonly connection: Connection;
  readonly signal: AbortSignal;
  readonly profile: Profile;
  readonly paper: NewDevice;
}): Promise<void> {
  const { directory, connection, signal, profile, paper } = input;
  const store = new MemoryStore();
  const { id } = paper.description;
  const sealKey = { publicKey: paper.description.seal, privateKey: paper.secrets.seal };
  await using archive = await Archive.open({
    identity: { user: profile.user, device: id, signKey: paper.signer, sealKey, directory },
    port: connectedArchive(async () => connection),
    store,
    history: await History.open(store),
    clock: systemClock,
    random: Math.random,
    signal,
    checked: true,
    keysOnly: true,
    hold: (_, task) => task(),
    busy: () => false,
    refusal: () => directory.refusal(),
    refreshDirectory: () => directory.sync(connection),
    notice: () => {},
  });
  await archive.grantDevice(profile.device);
}

function otherDevicesOf({ directory }: DirectoryReplica, { user, device }: Profile): DeviceId[] {
  return standingDevices(directory.user(user))
    .map(({ id }) => id)
    .filter((id) => id !== device);
}

interface PhraseLogin {
  readonly connection: Connection;
  readonly paper: NewDevice;
  readonly suite: SuiteName;
  readonly serverKeySha256: Uint8Array;
}

/**
 * Logs in with the phrase's own key. Which suite the person's devices speak is a part of the phrase's keys: the
 * one that the server knows is right.
 */
async function logInWithPhrase(
  transport: Transport,
  server: NamedServer,
  phrase: RecoveryPhrase,
  signal: AbortSignal,
): Promise<PhraseLogin> {
  for (const suite of ["x-wing", "classical"] as const) {
    const greeted = await greet(transport, server.address, server.serverKeySha256, signal);
    const { connection, hello, serverKeySha256 } = greeted;
    const paper = await recoveryDevice(phrase, serverKeySha256, suite);
    const authKey: Signer = await signerFromSeed(paper.secrets.auth);
    try {
      const device = paper.description.id;
      const quiet = () => true;
      await authenticate(connection, hello, greeted.transport, { device, authKey, quiet });
      return { connection, paper, suite, serverKeySha256 };
    } catch (error) {
      connection.close();
      const code = serverError(error)?.code;
      if (code === ErrorCode.DEVICE_REVOKED) {
        throw unknown("this recovery phrase was replaced by a newer one", error);
      }
      // A server does not say whether it is the device or the signature that it does not know.
      if (code !== ErrorCode.UNKNOWN_DEVICE && code !== ErrorCode.BAD_SIGNATURE) throw error;
    }
  }
  throw unknown(
    "this server knows no such recovery phrase: the words are of another server, or this is not the server that you mean",
  );
}

function unknown(message: string, cause?: unknown): SottoClientError {
  return new SottoClientError("UNKNOWN_PHRASE", message, { cause });
}
