import {
  type DeviceId,
  deviceCounterInput,
  limits,
  type UserId,
  type UserName,
} from "@sotto/protocol";
import { compactVerify } from "jose";
import { canonicalJson } from "./canonical-json.ts";
import { sha256 } from "./digest.ts";
import type { DirectoryDevice } from "./directory.ts";
import { importPublicKey, verifyEd25519 } from "./ed25519.ts";
import { verifyArrival } from "./grant.ts";
import { recordType } from "./parse-record.ts";
import type {
  Arrival,
  DeviceAdd,
  DeviceDescription,
  DeviceRevoke,
  IdentityReset,
  ParsedRecord,
  RecoverySet,
  UserCreate,
} from "./record.ts";
import { RecordError } from "./record-error.ts";
import { openReset } from "./reset.ts";
import { deviceJson } from "./write-record.ts";

/** What the rules ask of the records before. */
export interface RecordsBefore {
  /** The first user. */
  readonly owner: UserId | undefined;
  /** Hashes of the user's records, hex; `undefined` where there is no such user. */
  chainOf(user: UserId): readonly string[] | undefined;
  /** Devices and recovery keys of the user, revoked ones too, oldest first. */
  devicesOf(user: UserId): readonly DirectoryDevice[];
  /** Invites with which the user's identity began, and began anew. */
  arrivalsOf(user: UserId): readonly Arrival[];
  isTaken(name: UserName): boolean;
  device(id: DeviceId): DirectoryDevice | undefined;
}

/** Whether a record may follow those before it: chain, signatures, names. Throws `RecordError`. */
export async function checkRecord(before: RecordsBefore, parsed: ParsedRecord): Promise<void> {
  const { record } = parsed;
  if (record.typ === "user-create") return await checkCreate(before, record, parsed);
  const chain = before.chainOf(record.user);
  if (!chain) throw new RecordError("CHAIN", "no such user");
  if (record.seq !== chain.length || record.prev !== chain.at(-1))
    throw new RecordError("CHAIN", `the user's next record is number ${chain.length}`);
  if (record.typ === "identity-reset") return await checkReset(before, record, parsed);
  const signer = await checkSigner(before, record.user, parsed);
  if (record.typ === "device-revoke") return checkRevoke(before, record, signer);
  await checkNewcomer(before, record, signer);
}

async function checkCreate(
  before: RecordsBefore,
  record: UserCreate,
  parsed: ParsedRecord,
): Promise<void> {
  if (before.chainOf(record.user)) throw new RecordError("CHAIN", "that user exists already");
  if (record.seq !== 0 || record.prev !== "")
    throw new RecordError("CHAIN", "a chain begins with number 0");
  if (before.isTaken(record.name))
    throw new RecordError("NAME_TAKEN", `the name ${record.name} is taken`);
  await checkFirstDevice(before, record, parsed);
}

async function checkReset(
  before: RecordsBefore,
  record: IdentityReset,
  parsed: ParsedRecord,
): Promise<void> {
  const { user, invite, allowed, iat, prev } = record;
  // Whoever can say that word for the owner has a device of theirs: a thief would shut them out, paper included.
  if (user === before.owner)
    throw new RecordError("SIGNATURE", "the owner's identity does not begin anew");
  await checkFirstDevice(before, record, parsed);
  if (allowed.expires !== 0 && iat > allowed.expires)
    throw new RecordError("SIGNATURE", "the owner's word has expired");
  const used = before.arrivalsOf(user).map(({ key }) => key.join());
  // One word is good for one beginning: who finds the old invite must not begin again with it.
  if (used.includes(invite.key.join()))
    throw new RecordError("SIGNATURE", "the owner's word was used already");
  // The clock above is the record's own. A word that was held back is void by what the user has done since.
  if (!(await openReset(allowed, { user, inviteKey: invite.key, prev }, before)))
    throw new RecordError("SIGNATURE", "the owner has not allowed it");
}

/** The device with which an identity begins: new, signing for itself, and holding the invite. */
async function checkFirstDevice(
  before: RecordsBefore,
  { user, device, invite }: UserCreate | IdentityReset,
  parsed: ParsedRecord,
): Promise<void> {
  checkNewDevice(before, device);
  if (parsed.signer !== device.id)
    throw new RecordError("SIGNATURE", "the first device signs its own record");
  await verifyJws(parsed, device.sign);
  const newcomer = { user, device: device.id, sign: device.sign, mls: device.mls };
  if (!(await verifyArrival(invite.key, newcomer, invite.proof)))
    throw new RecordError("SIGNATURE", "the invite's proof is not valid");
}

/** The device or recovery key of the chain that signed. */
async function checkSigner(
  before: RecordsBefore,
  user: UserId,
  parsed: ParsedRecord,
): Promise<DirectoryDevice> {
  const signer = before.device(parsed.signer);
  if (signer?.user !== user)
    throw new RecordError("SIGNATURE", "signed by a device of somebody else");
  if (signer.revokedAt !== undefined)
    throw new RecordError("REVOKED", "signed by a revoked device");
  await verifyJws(parsed, signer.keys.sign);
  return signer;
}

function checkRevoke(before: RecordsBefore, record: DeviceRevoke, signer: DirectoryDevice): void {
  const device = before.device(record.device);
  if (device?.user !== record.user) throw new RecordError("CHAIN", "no such device of that user");
  if (device.revokedAt !== undefined)
    throw new RecordError("REVOKED", "that device is revoked already");
  // Whoever stole a device must not be able to shut the paper out.
  const senior = signer.kind === "recovery" && signer.addedAt <= device.addedAt;
  if (device.kind === "recovery" && !senior)
    throw new RecordError("SIGNATURE", "a recovery key is revoked by itself or an older one only");
}

async function checkNewcomer(
  before: RecordsBefore,
  record: DeviceAdd | RecoverySet,
  signer: DirectoryDevice,
): Promise<void> {
  checkNewDevice(before, record.device);
  const replaces = record.typ === "device-add" ? record.replaces : undefined;
  if (replaces !== undefined) checkReplaced(before, record.user, replaces, signer);
  const kind = record.typ === "device-add" ? "device" : "recovery";
  const standing = before
    .devicesOf(record.user)
    .filter((device) => device.kind === kind && device.revokedAt === undefined)
    .filter(({ id }) => id !== replaces);
  if (kind === "device" && standing.length >= limits.devicesPerUserMax)
    throw new RecordError("TOO_MANY", `a user has at most ${limits.devicesPerUserMax} devices`);
  // A recovery key takes the place of itself and of younger ones: there is always room for it.
  if (kind === "recovery" && signer.kind === "device" && standing.length >= limits.recoveryKeysMax)
    throw new RecordError("TOO_MANY", `a user has at most ${limits.recoveryKeysMax} recovery keys`);
  await checkCounter(record);
}

/**
 * In one record, or a stolen device would take the place that one record made before the next one comes. Only the paper
 * needs it: a device that takes another's place does it in two, and others see who did what.
 */
function checkReplaced(
  before: RecordsBefore,
  user: UserId,
  replaced: DeviceId,
  signer: DirectoryDevice,
): void {
  const device = before.device(replaced);
  if (device?.user !== user || device.kind !== "device")
    throw new RecordError("CHAIN", "no such device of that user");
  if (device.revokedAt !== undefined)
    throw new RecordError("REVOKED", "that device is revoked already");
  if (signer.kind !== "recovery")
    throw new RecordError("SIGNATURE", "only a recovery key puts a device in another's place");
}

function checkNewDevice(before: RecordsBefore, device: DeviceDescription): void {
  if (before.device(device.id)) throw new RecordError("CHAIN", "that device exists already");
  const keys = new Set([device.auth, device.sign, device.mls].map((key) => key.join()));
  // One key for one purpose: a signature made for one must be worth nothing for another.
  if (keys.size !== 3) throw new RecordError("MALFORMED", "a device's keys are not all different");
}

async function verifyJws(parsed: ParsedRecord, publicKey: Uint8Array): Promise<void> {
  try {
    const key = await importPublicKey(publicKey);
    const { protectedHeader } = await compactVerify(parsed.bytes, key, { algorithms: ["EdDSA"] });
    if (protectedHeader.typ === recordType) return;
  } catch {
    // Every failure means the same: the record is not by that key.
  }
  throw new RecordError("SIGNATURE", "the record's signature is not valid");
}

async function checkCounter(record: DeviceAdd | RecoverySet): Promise<void> {
  const { user, seq, prev, iat, typ, device, counter } = record;
  const replaces =
    "replaces" in record && record.replaces !== undefined ? { replaces: record.replaces } : {};
  const fields = { v: 1, user, seq, prev, iat, typ, device: deviceJson(device), ...replaces };
  const payload = canonicalJson(fields);
  const accepted = deviceCounterInput(await sha256(new TextEncoder().encode(payload)));
  if (!(await verifyEd25519(device.sign, accepted, counter))) {
    throw new RecordError("SIGNATURE", "the new device has not accepted the record");
  }
}
