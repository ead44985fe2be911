import {
  Directory,
  type DirectoryUser,
  leafHash,
  MerkleTree,
  openCheckpoint,
  RecordError,
  standingDevices,
  verifyConsistency,
  verifyInclusion,
  verifyLogKey,
} from "@sotto/identity";
import { limits, type SignedCheckpoint, toHex, toSafeNumber } from "@sotto/protocol";
import { equalBytes } from "../bytes.ts";
import { isConnectionLoss } from "../errors.ts";
import type { Profile } from "../profile.ts";
import type { DirectoryReplica } from "./directory-replica.ts";
import type { DirectoryServer } from "./directory-server.ts";

/** Faults that one report names; a directory with more is no better understood by more of them. */
const faultsMax = 100;

/** Something that should not be. */
export interface AuditFault {
  readonly kind:
    | "record"
    | "altered"
    | "missing"
    | "checkpoint"
    | "root"
    | "history"
    | "proof"
    | "own-name"
    | "login"
    | "known";
  /** One sentence. */
  readonly what: string;
  /** The record's index, where it is about one. */
  readonly index?: number;
}

/** What a whole look at the directory as it is served now has shown. */
export interface AuditReport {
  /** Records served. */
  readonly records: number;
  readonly users: number;
  /** Devices that are not revoked, recovery keys not counted. */
  readonly devices: number;
  /** Merkle root over the records as they are served, hex, and how many they are. */
  readonly root: string;
  readonly size: number;
  /** What the server has signed; `undefined` where that could not be read. */
  readonly checkpoint:
    | { readonly size: number; readonly root: string; readonly logKey: string }
    | undefined;
  /** The server says that it lacks records which it had, and takes them back. */
  readonly behind: boolean;
  /** Records and devices under this person's own name. */
  readonly own: { readonly records: number; readonly devices: number };
  readonly faults: readonly AuditFault[];
}

export interface AuditOptions {
  readonly server: DirectoryServer;
  readonly replica: DirectoryReplica;
  readonly profile: Pick<Profile, "user" | "device" | "name">;
  /** Public keys of this very device. */
  readonly keys: { readonly sign: Uint8Array; readonly mls: Uint8Array };
  readonly onProgress?: (done: number, total: number) => void;
  /** Where the server does not let this device in: what it signed last of what this device knows. */
  readonly note?: Uint8Array;
}

/**
 * Reads the whole directory again, from the first record, as the server gives it now, and checks all of it: every
 * record by the rules and against this device's own copy, the root against the server's signature, that signature
 * against the ones before, and the own name. Of a server that does not let this device in, all that the device
 * knows: it gives no more, and signs nothing. Rejects only where the server cannot be asked.
 */
export async function auditDirectory(options: AuditOptions): Promise<AuditReport> {
  return await new Audit(options).run();
}

class Audit {
  readonly #options: AuditOptions;
  readonly #faults: AuditFault[] = [];
  /** Over the bytes as they come, whatever they are. */
  readonly #tree = new MerkleTree();
  /** Of the records that follow the rules. */
  readonly #folded = new Directory();

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  async run(): Promise<AuditReport> {
    const { note } = this.#options;
    if (note) this.#fault("login", "the server does not let this device in, which it knew before");
    const signed = await this.#readAll();
    const checkpoint = note ? undefined : await this.#checkpoint(signed);
    await this.#history();
    if (checkpoint) await this.#proofs(checkpoint);
    const own = this.#ownName();
    this.#known();
    const users = this.#folded.users();
    return {
      records: this.#tree.size,
      users: users.length,
      devices: users.reduce((sum, user) => sum + standingDevices(user).length, 0),
      root: toHex(await this.#tree.root()),
      size: this.#tree.size,
      checkpoint: checkpoint && {
        size: checkpoint.size,
        root: toHex(checkpoint.root),
        logKey: toHex(checkpoint.logKey),
      },
      behind: signed?.behind ?? false,
      own,
      faults: this.#faults,
    };
  }

  #fault(kind: AuditFault["kind"], what: string, index?: number): void {
    if (this.#faults.length < faultsMax)
      this.#faults.push({ kind, what, ...(index === undefined ? {} : { index }) });
  }

  /** Every record, as served; answers the last checkpoint that came with them. */
  async #readAll(): Promise<SignedCheckpoint | undefined> {
    const { server, note = new Uint8Array(), onProgress = () => {} } = this.#options;
    for (;;) {
      const from = this.#tree.size;
      const value = { from: BigInt(from), limit: limits.directoryPageRecordsMax, note };
      const page = await server.request({ case: "readDirectory", value }, "directoryPage");
      await this.#take(from, page.records);
      const total = toSafeNumber(page.size);
      onProgress(this.#tree.size, Math.max(total, this.#tree.size));
      if (this.#tree.size >= total) return page.checkpoint;
      if (page.records.length > 0) continue;
      this.#fault("missing", `the server says that it has ${total} records and gives ${from}`);
      return page.checkpoint;
    }
  }

  async #take(from: number, records: readonly Uint8Array[]): Promise<void> {
    const known = await this.#options.replica.records(from, records.length);
    for (const [at, bytes] of records.entries()) {
      const index = from + at;
      const copy = known[at];
      if (copy && !equalBytes(copy, bytes))
        this.#fault("altered", `record ${index} is not the one that this device has seen`, index);
      await this.#tree.append(bytes);
      try {
        await this.#folded.apply(bytes);
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        this.#fault("record", `record ${index} breaks the rules: ${error.message}`, index);
      }
    }
  }

  async #checkpoint(signed: SignedCheckpoint | undefined) {
    const { server, replica } = this.#options;
    const { logKey: pinned, origin } = replica.trust;
    if (!signed) return void this.#fault("checkpoint", "the server does not sign its directory");
    const { note, logKey, logKeyProof } = signed;
    if (!(await verifyLogKey(logKey, logKeyProof, server.serverKey)))
      this.#fault("checkpoint", "the server does not vouch for the key that signs its directory");
    if (pinned && !equalBytes(pinned, logKey))
      this.#fault("checkpoint", "the directory is signed with another key than before");
    const head = await openCheckpoint(note, origin, pinned ?? logKey);
    if (!head) return void this.#fault("checkpoint", "the checkpoint's signature is not valid");
    if (head.size > this.#tree.size) {
      this.#fault(
        "missing",
        `the server has signed for ${head.size} records and gives ${this.#tree.size}`,
      );
      return undefined;
    }
    if (!equalBytes(await this.#tree.root(head.size), head.root))
      this.#fault("root", `the ${head.size} records served are not those that the server signed`);
    return { ...head, logKey };
  }

  /** What the server has signed before must be a part of what it gives. */
  async #history(): Promise<void> {
    const { head } = this.#options.replica.trust;
    if (!head) return;
    if (head.size > this.#tree.size)
      return this.#fault(
        "missing",
        `the server has signed for ${head.size} records before and gives ${this.#tree.size}`,
      );
    if (!equalBytes(await this.#tree.root(head.size), head.root))
      this.#fault("history", `its first ${head.size} records are not those that it signed before`);
  }

  /** The proofs that the server makes for others must hold as well. */
  async #proofs({
    size,
    root,
  }: {
    readonly size: number;
    readonly root: Uint8Array;
  }): Promise<void> {
    const { server, replica, profile } = this.#options;
    const { head } = replica.trust;
    const own = replica.directory.device(profile.device);
    try {
      if (head && head.size <= size) {
        const value = { first: BigInt(head.size), second: BigInt(size) };
        const { hashes: proof } = await server.request(
          { case: "getConsistencyProof", value },
          "merkleProof",
        );
        const claim = {
          first: head.size,
          second: size,
          firstRoot: head.root,
          secondRoot: root,
          proof,
        };
        if (!(await verifyConsistency(claim)))
          this.#fault("proof", "the server does not prove that its directory only grew");
      }
      const [record] = own && own.addedAt < size ? await replica.records(own.addedAt, 1) : [];
      if (own && record) {
        const value = { index: BigInt(own.addedAt), size: BigInt(size) };
        const { hashes: proof } = await server.request(
          { case: "getInclusionProof", value },
          "merkleProof",
        );
        const leaf = await leafHash(record);
        if (!(await verifyInclusion({ leaf, index: own.addedAt, size, root, proof })))
          this.#fault("proof", "the server does not prove that it holds this device's record");
      }
    } catch (error) {
      if (isConnectionLoss(error)) throw error;
      this.#fault("proof", `the server makes no proof: ${String(error)}`);
    }
  }

  #ownName(): AuditReport["own"] {
    const { profile, keys } = this.#options;
    const user: DirectoryUser | undefined = this.#folded.user(profile.user);
    const device = this.#folded.device(profile.device);
    if (!user || user.name !== profile.name)
      this.#fault("own-name", `the directory does not hold you as ${profile.name}`);
    const same =
      device?.user === profile.user &&
      equalBytes(device.keys.sign, keys.sign) &&
      equalBytes(device.keys.mls, keys.mls);
    if (!same) this.#fault("own-name", "the directory does not hold this device with its own keys");
    return { records: user?.chain.length ?? 0, devices: standingDevices(user).length };
  }

  /** What this device has found out before stays a fault. */
  #known(): void {
    const { fault, standing } = this.#options.replica.trust;
    if (fault) this.#fault("known", `found before: ${fault.what}`, fault.index);
    else if (standing === "withheld")
      this.#fault("known", "found before: the server holds back records that it has signed for");
  }
}
