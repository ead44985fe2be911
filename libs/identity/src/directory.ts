import type { DeviceId, UserId, UserName } from "@sotto/protocol";
import { sha256Hex } from "./digest.ts";
import { type DirectoryContents, decodeSnapshot, encodeSnapshot } from "./directory-snapshot.ts";
import { MerkleTree } from "./merkle.ts";
import { parseRecord } from "./parse-record.ts";
import type {
  Arrival,
  DeviceDescription,
  DeviceKeys,
  IdentityRecord,
  ParsedRecord,
} from "./record.ts";
import { checkRecord, type RecordsBefore } from "./record-rules.ts";

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

/** A record that passed every check, on its way into the directory. */
export interface CheckedRecord {
  readonly parsed: ParsedRecord;
  /** SHA-256 of its exact bytes, hex. */
  readonly hash: string;
  /** Size of the directory that it was checked against: the index that it takes. */
  readonly index: number;
}

/** A directory's size and the root that stands for all of its records. */
export interface DirectoryHead {
  readonly size: number;
  /** RFC 9162 Merkle root, 32 bytes. */
  readonly root: Uint8Array;
}

interface UserEntry {
  readonly id: UserId;
  readonly name: UserName;
  readonly chain: string[];
  readonly devices: DeviceId[];
  readonly invite: Arrival;
  readonly createdAt: number;
}

/**
 * The fold of all identity records in their one order: who is who, with which keys. Server and clients
 * fold the same records by the same rules. `apply` verifies everything; what it accepted stays. Records are
 * applied one after another; readers see the directory before a record or after it, never in between.
 */
export class Directory {
  readonly #users = new Map<UserId, UserEntry>();
  readonly #names = new Map<UserName, UserId>();
  readonly #devices = new Map<DeviceId, DirectoryDevice>();
  /** Indexes of records by their hash. */
  readonly #indexes = new Map<string, number>();
  /** Revoked devices in the order of their revocations. */
  readonly #revoked: DeviceId[] = [];
  readonly #before: RecordsBefore = {
    chainOf: (user) => this.#users.get(user)?.chain,
    isTaken: (name) => this.#names.has(name),
    device: (id) => this.#devices.get(id),
  };
  #tree = new MerkleTree();
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

  /** RFC 9162 Merkle root over the records' exact bytes, as of the call. */
  root(): Promise<Uint8Array> {
    this.#root ??= this.#tree.root();
    return this.#root;
  }

  /** Size and root of one and the same moment. */
  async head(): Promise<DirectoryHead> {
    const { size } = this;
    return { size, root: await this.root() };
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

  /** Devices whose revocation has this index or a later one, in the order of the records. */
  revokedSince(index: number): DirectoryDevice[] {
    const found: DirectoryDevice[] = [];
    for (let at = this.#revoked.length - 1; at >= 0; at--) {
      const device = this.#devices.get(this.#revoked[at] as DeviceId);
      if (device?.revokedAt === undefined || device.revokedAt < index) break;
      found.push(device);
    }
    return found.reverse();
  }

  /** The index of the record with this SHA-256 (hex), where it is in the directory. */
  indexOf(recordHash: string): number | undefined {
    return this.#indexes.get(recordHash);
  }

  /** Checks the next record against all rules without taking it in. Throws `RecordError`. */
  async check(bytes: Uint8Array): Promise<CheckedRecord> {
    const index = this.size;
    const parsed = parseRecord(bytes);
    await checkRecord(this.#before, parsed);
    return { parsed, hash: await sha256Hex(bytes), index };
  }

  /** Checks and takes in the next record. Throws `RecordError`, and stays as it was. */
  async apply(bytes: Uint8Array): Promise<IdentityRecord> {
    const checked = await this.check(bytes);
    await this.take(checked);
    return checked.parsed.record;
  }

  /**
   * Takes in a record that `check` accepted. Throws `RangeError`, and stays as it was, where another one was
   * taken in since: the check is then worth nothing.
   */
  async take({ parsed, hash, index }: CheckedRecord): Promise<void> {
    const growth = await this.#tree.grow(parsed.bytes);
    if (growth.from !== index) throw new RangeError("another record was taken in meanwhile");
    // From here on nothing waits.
    this.#tree.take(growth);
    this.#root = undefined;
    this.#indexes.set(hash, index);
    this.#fold(parsed.record, index, hash);
  }

  /** All that the directory knows, for the same device to `restore` later without verifying every record again. */
  snapshot(): Uint8Array<ArrayBuffer> {
    const indexOf = (hash: string) => this.#indexes.get(hash) ?? 0;
    return encodeSnapshot({
      peaks: this.#tree.peaks,
      users: this.users().map((user) => ({ user, indexes: user.chain.map(indexOf) })),
    });
  }

  /**
   * The directory of a snapshot. What it says is believed: keep it where nobody else can write. Throws
   * `RecordError` MALFORMED where it is damaged or of another version; the records themselves then have to be applied.
   */
  static restore(bytes: Uint8Array): Directory {
    const directory = new Directory();
    directory.#load(decodeSnapshot(bytes));
    return directory;
  }

  #load({ peaks, users }: DirectoryContents): void {
    this.#tree = new MerkleTree(peaks);
    for (const { user, indexes } of users) {
      const { id, name, invite, createdAt, chain } = user;
      const devices = user.devices.map((device) => device.id);
      this.#users.set(id, { id, name, invite, createdAt, chain: [...chain], devices });
      this.#names.set(name, id);
      if (indexes[0] === 0) this.#owner = id;
      for (const [at, hash] of chain.entries()) this.#indexes.set(hash, indexes[at] ?? 0);
      for (const device of user.devices) this.#devices.set(device.id, device);
    }
    const revoked = [...this.#devices.values()].filter(({ revokedAt }) => revokedAt !== undefined);
    revoked.sort((one, other) => (one.revokedAt ?? 0) - (other.revokedAt ?? 0));
    this.#revoked.push(...revoked.map(({ id }) => id));
  }

  #fold(record: IdentityRecord, index: number, hash: string): void {
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
    this.#revoked.push(record.device);
  }

  #addDevice(
    user: UserId,
    { id, name, ...keys }: DeviceDescription,
    addedAt: number,
    recordHash: string,
  ): void {
    this.#devices.set(id, { id, user, name, keys, addedAt, recordHash, revokedAt: undefined });
  }

  #view(user: UserEntry): DirectoryUser {
    const devices = user.devices.flatMap((id) => this.#devices.get(id) ?? []);
    return { ...user, chain: [...user.chain], devices };
  }
}
