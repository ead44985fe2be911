import { type DeviceId, deviceCounterInput, type UserId, type UserName } from "@sotto/protocol";
import { compactVerify } from "jose";
import { canonicalJson } from "./canonical-json.ts";
import { sha256 } from "./digest.ts";
import type { DirectoryDevice } from "./directory.ts";
import { importPublicKey, verifyEd25519 } from "./ed25519.ts";
import { verifyArrival } from "./grant.ts";
import { recordType } from "./parse-record.ts";
import type {
  DeviceAdd,
  DeviceDescription,
  DeviceRevoke,
  ParsedRecord,
  UserCreate,
} from "./record.ts";
import { RecordError } from "./record-error.ts";
import { deviceJson } from "./write-record.ts";

/** What the rules ask of the records before. */
export interface RecordsBefore {
  /** Hashes of the user's records, hex; `undefined` where there is no such user. */
  chainOf(user: UserId): readonly string[] | undefined;
  isTaken(name: UserName): boolean;
  device(id: DeviceId): DirectoryDevice | undefined;
}

/** Whether a record may follow those before it: chain, signatures, names. Throws `RecordError`. */
export async function checkRecord(before: RecordsBefore, parsed: ParsedRecord): Promise<void> {
  const { record } = parsed;
  if (record.typ === "user-create") await checkCreate(before, record, parsed);
  else await checkFollowing(before, record, parsed);
}

async function checkCreate(
  before: RecordsBefore,
  record: UserCreate,
  parsed: ParsedRecord,
): Promise<void> {
  const { user, device, invite } = record;
  if (before.chainOf(user)) throw new RecordError("CHAIN", "that user exists already");
  if (record.seq !== 0 || record.prev !== "")
    throw new RecordError("CHAIN", "a chain begins with number 0");
  if (before.isTaken(record.name))
    throw new RecordError("NAME_TAKEN", `the name ${record.name} is taken`);
  checkNewDevice(before, device);
  if (parsed.signer !== device.id)
    throw new RecordError("SIGNATURE", "the first device signs its own record");
  await verifyJws(parsed, device.sign);
  const newcomer = { user, device: device.id, sign: device.sign, mls: device.mls };
  if (!(await verifyArrival(invite.key, newcomer, invite.proof))) {
    throw new RecordError("SIGNATURE", "the invite's proof is not valid");
  }
}

async function checkFollowing(
  before: RecordsBefore,
  record: DeviceAdd | DeviceRevoke,
  parsed: ParsedRecord,
): Promise<void> {
  const chain = before.chainOf(record.user);
  if (!chain) throw new RecordError("CHAIN", "no such user");
  if (record.seq !== chain.length || record.prev !== chain.at(-1)) {
    throw new RecordError("CHAIN", `the user's next record is number ${chain.length}`);
  }
  const signer = before.device(parsed.signer);
  if (signer?.user !== record.user)
    throw new RecordError("SIGNATURE", "signed by a device of somebody else");
  if (signer.revokedAt !== undefined)
    throw new RecordError("REVOKED", "signed by a revoked device");
  await verifyJws(parsed, signer.keys.sign);
  if (record.typ === "device-add") {
    checkNewDevice(before, record.device);
    await checkCounter(record);
    return;
  }
  const device = before.device(record.device);
  if (device?.user !== record.user) throw new RecordError("CHAIN", "no such device of that user");
  if (device.revokedAt !== undefined)
    throw new RecordError("REVOKED", "that device is revoked already");
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

async function checkCounter(record: DeviceAdd): Promise<void> {
  const { user, seq, prev, iat, typ, device, counter } = record;
  const payload = canonicalJson({ v: 1, user, seq, prev, iat, typ, device: deviceJson(device) });
  const accepted = deviceCounterInput(await sha256(new TextEncoder().encode(payload)));
  if (!(await verifyEd25519(device.sign, accepted, counter))) {
    throw new RecordError("SIGNATURE", "the new device has not accepted the record");
  }
}
