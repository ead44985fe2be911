import {
  arrivalInput,
  type DeviceId,
  deviceCounterInput,
  fromHex,
  type UserId,
  type UserName,
} from "@sotto/protocol";
import { compactVerify } from "jose";
import { canonicalJson } from "./canonical-json.ts";
import { sha256, sha256Hex } from "./digest.ts";
import { importPublicKey, verifyEd25519 } from "./ed25519.ts";
import { MerkleTree } from "./merkle.ts";
import { parseRecord, recordType } from "./parse-record.ts";
import type {
  Arrival,
  DeviceAdd,
  DeviceDescription,
  DeviceKeys,
  DeviceRevoke,
  IdentityRecord,
  ParsedRecord,
  UserCreate,
} from "./record.ts";
import { RecordError } from "./record-error.ts";
import { deviceJson } from "./write-record.ts";

/** A device as the directory knows it. */
export interface DirectoryDevice {
  readonly id: DeviceId;
  readonly user: UserId;
  readonly name: string;
  readonly keys: DeviceKeys;
  /** Index of the record that added it. */
  readonly addedAt: number;
  /** SHA-256 of that record, hex. */
  readonly recordHash: string;
  /** Index of the record that revoked it. */
  readonly revokedAt: number | undefined;
}

/** A person as the directory knows them. */
export interface DirectoryUser {
  readonly id: UserId;
  readonly name: UserName;
  /** SHA-256 of every record of the chain, hex. */
  readonly chain: readonly string[];
  readonly devices: readonly DirectoryDevice[];
  /** How the account arrived. */
  readonly invite: Arrival;
  /** When its first record was made, by its maker's clock, ms. */
  readonly createdAt: number;
}

interface MutableUser {
  readonly id: UserId;
  readonly name: UserName;
  readonly chain: string[];
  readonly devices: DeviceId[];
  readonly invite: Arrival;
  readonly createdAt: number;
}

/** A record that passed every check, on its way into the directory. */
export interface CheckedRecord {
  readonly parsed: ParsedRecord;
  readonly hash: string;
}

/**
 * The fold of all identity records in their one order: who is who, with which keys. Server and clients
 * fold the same records by the same rules. `apply` verifies everything; what it accepted stays.
 */
export class Directory {
  readonly #users = new Map<UserId, MutableUser>();
  readonly #names = new Map<UserName, UserId>();
  readonly #devices = new Map<DeviceId, DirectoryDevice>();
  readonly #tree = new MerkleTree();
  #owner: UserId | undefined;
  #root: Promise<Uint8Array> | undefined;

  /** Number of records. */
  get size(): number {
    return this.#tree.size;
  }

  /** The first user: the server's owner. */
  get owner(): UserId | undefined {
    return this.#owner;
  }

  /** RFC 9162 Merkle root over the records' exact bytes. */
  root(): Promise<Uint8Array> {
    this.#root ??= this.#tree.root();
    return this.#root;
  }

  user(id: UserId): DirectoryUser | undefined {
    const user = this.#users.get(id);
    return user && this.#view(user);
  }

  userByName(name: UserName): DirectoryUser | undefined {
    const id = this.#names.get(name);
    return id && this.user(id);
  }

  users(): DirectoryUser[] {
    return [...this.#users.values()].map((user) => this.#view(user));
  }

  device(id: DeviceId): DirectoryDevice | undefined {
    return this.#devices.get(id);
  }

  /** The device as it was when the directory had `size` records; a later revocation does not show. */
  deviceAsOf(id: DeviceId, size: number): DirectoryDevice | undefined {
    const device = this.#devices.get(id);
    if (!device || device.addedAt >= size) return undefined;
    return device.revokedAt !== undefined && device.revokedAt >= size
      ? { ...device, revokedAt: undefined }
      : device;
  }

  /** Checks the next record against all rules without taking it in. Throws `RecordError`. */
  async check(bytes: Uint8Array): Promise<CheckedRecord> {
    const parsed = parseRecord(bytes);
    const { record } = parsed;
    if (record.typ === "user-create") await this.#checkCreate(record, parsed);
    else await this.#checkFollowing(record, parsed);
    return { parsed, hash: await sha256Hex(bytes) };
  }

  /** Checks and takes in the next record. Throws `RecordError`, and stays as it was. */
  async apply(bytes: Uint8Array): Promise<IdentityRecord> {
    const checked = await this.check(bytes);
    await this.take(checked);
    return checked.parsed.record;
  }

  /** Takes in a record that `check` accepted, with nothing else taken in between. */
  async take({ parsed, hash }: CheckedRecord): Promise<void> {
    const { record } = parsed;
    const index = this.size;
    await this.#tree.append(parsed.bytes);
    this.#root = undefined;
    if (record.typ === "user-create") {
      const { user: id, name, invite, device, iat: createdAt } = record;
      this.#users.set(id, { id, name, invite, createdAt, chain: [hash], devices: [device.id] });
      this.#names.set(name, id);
      this.#owner ??= id;
      this.#addDevice(id, device, index, hash);
      return;
    }
    const user = this.#users.get(record.user);
    user?.chain.push(hash);
    if (record.typ === "device-add") {
      user?.devices.push(record.device.id);
      this.#addDevice(record.user, record.device, index, hash);
      return;
    }
    const device = this.#devices.get(record.device);
    if (device) this.#devices.set(device.id, { ...device, revokedAt: index });
  }

  #addDevice(
    user: UserId,
    { id, name, ...keys }: DeviceDescription,
    addedAt: number,
    recordHash: string,
  ): void {
    this.#devices.set(id, { id, user, name, keys, addedAt, recordHash, revokedAt: undefined });
  }

  #view(user: MutableUser): DirectoryUser {
    const devices = user.devices.flatMap((id) => this.#devices.get(id) ?? []);
    return { ...user, chain: [...user.chain], devices };
  }

  async #checkCreate(record: UserCreate, parsed: ParsedRecord): Promise<void> {
    if (this.#users.has(record.user)) throw new RecordError("CHAIN", "that user exists already");
    if (record.seq !== 0 || record.prev !== "")
      throw new RecordError("CHAIN", "a chain begins with number 0");
    if (this.#names.has(record.name))
      throw new RecordError("NAME_TAKEN", `the name ${record.name} is taken`);
    this.#checkNewDevice(record.device);
    if (parsed.signer !== record.device.id)
      throw new RecordError("SIGNATURE", "the first device signs its own record");
    await verifyJws(parsed, record.device.sign);
    const { user, device, invite } = record;
    const arrived = arrivalInput({
      user: fromHex(user),
      device: fromHex(device.id),
      sign: device.sign,
      mls: device.mls,
    });
    if (!(await verifyEd25519(invite.key, arrived, invite.proof))) {
      throw new RecordError("SIGNATURE", "the invite's proof is not valid");
    }
  }

  async #checkFollowing(record: DeviceAdd | DeviceRevoke, parsed: ParsedRecord): Promise<void> {
    const user = this.#users.get(record.user);
    if (!user) throw new RecordError("CHAIN", "no such user");
    if (record.seq !== user.chain.length || record.prev !== user.chain.at(-1)) {
      throw new RecordError("CHAIN", `the user's next record is number ${user.chain.length}`);
    }
    const signer = this.#devices.get(parsed.signer);
    if (signer?.user !== record.user)
      throw new RecordError("SIGNATURE", "signed by a device of somebody else");
    if (signer.revokedAt !== undefined)
      throw new RecordError("REVOKED", "signed by a revoked device");
    await verifyJws(parsed, signer.keys.sign);
    if (record.typ === "device-add") {
      this.#checkNewDevice(record.device);
      await checkCounter(record);
      return;
    }
    const device = this.#devices.get(record.device);
    if (device?.user !== record.user) throw new RecordError("CHAIN", "no such device of that user");
    if (device.revokedAt !== undefined)
      throw new RecordError("REVOKED", "that device is revoked already");
  }

  #checkNewDevice(device: DeviceDescription): void {
    if (this.#devices.has(device.id)) throw new RecordError("CHAIN", "that device exists already");
    const keys = new Set([device.auth, device.sign, device.mls].map((key) => key.join()));
    // One key for one purpose: a signature made for one must be worth nothing for another.
    if (keys.size !== 3)
      throw new RecordError("MALFORMED", "a device's keys are not all different");
  }
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
