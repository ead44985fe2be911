import type { DeviceId, UserId, UserName } from "@sotto/protocol";
import { sha256Hex } from "./digest.ts";
import { type DirectoryContents, decodeSnapshot, encodeSnapshot } from "./directory-snapshot.ts";
import { MerkleTree } from "./merkle.ts";
import { parseRecord } from "./parse-record.ts";
import type {
  Arrival,
  DeviceKeys,
  DeviceRevoke,
  IdentityRecord,
  ParsedRecord,
  UserCreate,
} from "./record.ts";
import type { ChangedBy, RecordChange } from "./record-change.ts";
import { checkRecord, type RecordsBefore } from "./record-rules.ts";

/** A device as the directory knows it. */
export interface DirectoryDevice {
  readonly id: DeviceId;
  readonly user: UserId;
  /** A recovery key lies on paper: it logs in and signs records, and never is in a room. */
  readonly kind: "device" | "recovery";
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
  /** Devices and recovery keys, revoked ones too. `standingDevices` are those that belong in rooms. */
  readonly devices: readonly DirectoryDevice[];
  /** With which invite the present identity began. */
  readonly invite: Arrival;
  /** Every invite with which the identity began, and began anew; the last one is `invite`. */
  readonly arrivals: readonly Arrival[];
  /** SHA-256 of the record with which the present identity began, hex: user-create, or the last identity-reset. */
  readonly identityStart: string;
  /** When that record was made, by its maker's clock, ms. */
  readonly arrivedAt: number;
  /** When the first record was made, by its maker's clock, ms. */
  readonly createdAt: number;
}

/** The devices of a person that may be in rooms: not revoked, and no recovery key. */
export function standingDevices(
  user: Pick<DirectoryUser, "devices"> | undefined,
): DirectoryDevice[] {
  return (user?.devices ?? []).filter(
    ({ kind, revokedAt }) => kind === "device" && revokedAt === undefined,
  );
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
  readonly arrivals: Arrival[];
  identityStart: string;
  arrivedAt: number;
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

  /**
   * RFC 9162 Merkle root over the records' exact bytes: of the first `size` records, by default of all as of the
   * call. Rejects with `RangeError` for a size that is not reached.
   */
  root(size: number = this.size): Promise<Uint8Array> {
    if (size !== this.size) return this.#tree.root(size);
    this.#root ??= this.#tree.root();
    return this.#root;
  }

  /** `MerkleTree.inclusionProof` over the records. */
  inclusionProof(index: number, size: number): Promise<Uint8Array[]> {
    return this.#tree.inclusionProof(index, size);
  }

  /** `MerkleTree.consistencyProof` over the records. */
  consistencyProof(first: number, second: number): Promise<Uint8Array[]> {
    return this.#tree.consistencyProof(first, second);
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

  /** The same for a leaf of a room: a recovery key is none. */
  leafAsOf(id: DeviceId, size: number): DirectoryDevice | undefined {
    const device = this.deviceAsOf(id, size);
    return device?.kind === "device" ? device : undefined;
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
    await checkRecord(this.#before(), parsed);
    return { parsed, hash: await sha256Hex(bytes), index };
  }

  /** Checks and takes in the next record; answers what it changed. Throws `RecordError`, and stays as it was. */
  async apply(bytes: Uint8Array): Promise<RecordChange> {
    return await this.take(await this.check(bytes));
  }

  /**
   * Takes in a record that `check` accepted; answers what it changed. Throws `RangeError`, and stays as it was, where another one was
   * taken in since: the check is then worth nothing.
   */
  async take({ parsed, hash, index }: CheckedRecord): Promise<RecordChange> {
    const growth = await this.#tree.grow(parsed.bytes);
    if (growth.from !== index) throw new RangeError("another record was taken in meanwhile");
    // From here on nothing waits.
    this.#tree.take(growth);
    this.#root = undefined;
    this.#indexes.set(hash, index);
    return this.#fold(parsed, index, hash);
  }

  /**
   * Takes in the next record as a leaf of the tree and as nothing else: for one that breaks the rules where the places of
   * those behind it have to be right all the same. What comes of it is nobody's directory, and must not be signed.
   */
  async passOver(bytes: Uint8Array): Promise<void> {
    this.#tree.take(await this.#tree.grow(bytes));
    this.#root = undefined;
  }

  /** All that the directory knows, for the same device to `restore` later without verifying every record again. */
  snapshot(): Uint8Array<ArrayBuffer> {
    const indexOf = (hash: string) => this.#indexes.get(hash) ?? 0;
    return encodeSnapshot({
      levels: this.#tree.levels,
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

  #load({ levels, users }: DirectoryContents): void {
    this.#tree = new MerkleTree(levels);
    for (const { user, indexes } of users) {
      const { id, name, chain, arrivals, invite: _, ...rest } = user;
      const devices = user.devices.map((device) => device.id);
      const entry = { ...rest, id, name, chain: [...chain], arrivals: [...arrivals], devices };
      this.#users.set(id, entry);
      this.#names.set(name, id);
      if (indexes[0] === 0) this.#owner = id;
      for (const [at, hash] of chain.entries()) this.#indexes.set(hash, indexes[at] ?? 0);
      for (const device of user.devices) this.#devices.set(device.id, device);
    }
    const revoked = [...this.#devices.values()].filter(({ revokedAt }) => revokedAt !== undefined);
    revoked.sort((one, other) => (one.revokedAt ?? 0) - (other.revokedAt ?? 0));
    this.#revoked.push(...revoked.map(({ id }) => id));
  }

  #before(): RecordsBefore {
    return {
      owner: this.#owner,
      chainOf: (user) => this.#users.get(user)?.chain,
      devicesOf: (user) => this.user(user)?.devices ?? [],
      arrivalsOf: (user) => this.#users.get(user)?.arrivals ?? [],
      isTaken: (name) => this.#names.has(name),
      device: (id) => this.#devices.get(id),
    };
  }

  #fold({ record, signer }: ParsedRecord, index: number, hash: string): RecordChange {
    const by: ChangedBy = { kind: this.#devices.get(signer)?.kind ?? "device", device: signer };
    const base = { user: record.user, index, by };
    switch (record.typ) {
      case "user-create":
        this.#begin(record, hash);
        this.#addDevice(record, "device", index, hash);
        return { ...base, change: "user-created", device: record.device.id, revoked: [] };
      case "device-add": {
        this.#continue(record, hash).devices.push(record.device.id);
        this.#addDevice(record, "device", index, hash);
        const revoked = this.#revoke(record.replaces ? [record.replaces] : [], index);
        return { ...base, change: "device-added", device: record.device.id, revoked };
      }
      case "device-revoke": {
        this.#continue(record, hash);
        const revoked = this.#revoke([record.device], index);
        return { ...base, change: "device-revoked", device: record.device, revoked };
      }
      case "recovery-set": {
        const replaced = this.#replacedBy(record.user, signer);
        this.#continue(record, hash).devices.push(record.device.id);
        this.#addDevice(record, "recovery", index, hash);
        const revoked = this.#revoke(replaced, index);
        return { ...base, change: "recovery-set", device: record.device.id, revoked };
      }
      case "identity-reset": {
        const user = this.#continue(record, hash);
        const revoked = this.#revoke(user.devices, index);
        user.arrivals.push(record.invite);
        user.identityStart = hash;
        user.arrivedAt = record.iat;
        user.devices.push(record.device.id);
        this.#addDevice(record, "device", index, hash);
        const owner: ChangedBy = { kind: "owner", device: record.allowed.device };
        return { ...base, by: owner, change: "identity-reset", device: record.device.id, revoked };
      }
    }
  }

  #begin({ user: id, name, invite, device, iat }: UserCreate, hash: string): void {
    this.#users.set(id, {
      id,
      name,
      chain: [hash],
      devices: [device.id],
      arrivals: [invite],
      identityStart: hash,
      arrivedAt: iat,
      createdAt: iat,
    });
    this.#names.set(name, id);
    this.#owner ??= id;
  }

  /** The user whose chain the record continues. */
  #continue({ user: id }: IdentityRecord, hash: string): UserEntry {
    const user = this.#users.get(id);
    if (!user) throw new RangeError("a record of nobody passed the check");
    user.chain.push(hash);
    return user;
  }

  /** A recovery key that signs takes the place of itself and of those that came after it. */
  #replacedBy(user: UserId, signer: DeviceId): DeviceId[] {
    const key = this.#devices.get(signer);
    if (key?.kind !== "recovery") return [];
    const devices = this.user(user)?.devices ?? [];
    return devices
      .filter(({ kind, addedAt }) => kind === "recovery" && addedAt >= key.addedAt)
      .map(({ id }) => id);
  }

  /** Revokes those of the devices that are not revoked yet, and answers them. */
  #revoke(ids: readonly DeviceId[], index: number): DeviceId[] {
    const revoked: DeviceId[] = [];
    for (const id of ids) {
      const device = this.#devices.get(id);
      if (!device || device.revokedAt !== undefined) continue;
      this.#devices.set(id, { ...device, revokedAt: index });
      revoked.push(id);
    }
    this.#revoked.push(...revoked);
    return revoked;
  }

  #addDevice(
    { user, device }: Exclude<IdentityRecord, DeviceRevoke>,
    kind: DirectoryDevice["kind"],
    addedAt: number,
    recordHash: string,
  ): void {
    const { id, name, ...keys } = device;
    const revokedAt = undefined;
    this.#devices.set(id, { id, user, kind, name, keys, addedAt, recordHash, revokedAt });
  }

  #view(user: UserEntry): DirectoryUser {
    const { arrivals, chain } = user;
    const devices = user.devices.flatMap((id) => this.#devices.get(id) ?? []);
    const invite = arrivals.at(-1) as Arrival;
    return { ...user, chain: [...chain], devices, arrivals: [...arrivals], invite };
  }
}
