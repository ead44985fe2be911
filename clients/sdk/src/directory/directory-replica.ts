import {
  type Checkpoint,
  checkpointNote,
  Directory,
  type IdentityRecord,
  parseRecord,
  type RecordChange,
  RecordError,
} from "@sotto/identity";
import {
  type DeviceId,
  type DirectoryPage,
  type Hello,
  limits,
  type SignedCheckpoint,
  toHex,
  toSafeNumber,
} from "@sotto/protocol";
import { equalBytes, sha256 } from "../bytes.ts";
import type { Checks } from "../checks.ts";
import { isConnectionLoss, SottoClientError } from "../errors.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { DirectoryServer } from "./directory-server.ts";
import { DirectoryTrust, type TrustOptions } from "./directory-trust.ts";
import { handBack } from "./hand-back.ts";

/** Old records that are read again at every login. */
const recheckedRecords = 64;

/**
 * This device's copy of the whole key directory, every record checked by the rules that the server
 * should have checked, and its root held against the server's signature. What the copy holds is never replaced by
 * what a server says later.
 */
export class DirectoryReplica {
  readonly directory: Directory;
  /** The server's word for its directory, and what speaks against it. */
  readonly trust: DirectoryTrust;
  /** Hashes of records that this very client sent since it started: a few for each thing that its user did. */
  readonly submitted = new Set<string>();
  /** Asked for what else belongs into the commit of new records. */
  tell: (changes: readonly RecordChange[]) => StoreChange[] = () => [];
  /** The server as it answers where nobody is logged in. */
  notLetInServer: (signal: AbortSignal) => DirectoryServer & Disposable = () => {
    throw new Error("no server can be reached from here");
  };
  readonly #store: ProfileStore;
  readonly #checks: Checks;
  readonly #grown: ((told: readonly StoreChange[]) => void)[] = [];
  #syncing: Promise<void> | undefined;
  #last: Uint8Array | undefined;

  private constructor(
    { store, checks }: TrustOptions,
    trust: DirectoryTrust,
    directory: Directory,
    last: Uint8Array | undefined,
  ) {
    this.#store = store;
    this.#checks = checks;
    this.trust = trust;
    this.directory = directory;
    this.#last = last;
  }

  static async open(options: TrustOptions): Promise<DirectoryReplica> {
    const { store, checks } = options;
    const trust = await DirectoryTrust.open(options);
    const directory = new Directory();
    let last: Uint8Array | undefined;
    for (let after = ""; ; ) {
      const page = await store.scan("directory", { after, limit: 1000 });
      for (const { key, value } of page) {
        await take(directory, value, checks);
        last = value;
        after = key;
      }
      if (page.length < 1000) return new DirectoryReplica(options, trust, directory, last);
    }
  }

  get size(): number {
    return this.directory.size;
  }

  /** Why nothing may be sealed or committed by this directory now. */
  refusal(): SottoClientError | undefined {
    return this.trust.refusal(this.size);
  }

  /** The record of this index. Throws `RangeError` where there is none. */
  async record(index: number): Promise<IdentityRecord> {
    const bytes = await this.#store.get("directory", keyOf(index));
    if (!bytes) throw new RangeError(`there is no record ${index}`);
    return parseRecord(bytes).record;
  }

  /** Exact bytes of records from an index on, at most `limit`. */
  async records(from: number, limit: number): Promise<readonly Uint8Array[]> {
    const after = from === 0 ? "" : keyOf(from - 1);
    return (await this.#store.scan("directory", { after, limit })).map(({ value }) => value);
  }

  /** Calls back after records were added, with what `tell` gave into their commits. */
  onGrown(grown: (told: readonly StoreChange[]) => void): void {
    this.#grown.push(grown);
  }

  /**
   * A server proved itself, and nobody is logged in: hands back what it lacks of what it has signed, because a server
   * that lost the record of this device lets it in no more. Resolves with true where it lacked something.
   */
  async greeted(connection: DirectoryServer, hello: Hello): Promise<boolean> {
    const size = toSafeNumber(hello.directorySize);
    if (size >= this.size) return false;
    await this.handBack(connection, size, false);
    return true;
  }

  /**
   * Brings this copy to the server's `size` after a login, and looks at some old records. A directory that is false
   * ends nothing: what is here can be read, and the connection may be needed to find out more.
   */
  async logIn(connection: DirectoryServer, size: number, random: () => number): Promise<void> {
    try {
      try {
        // Also where nothing is new: the server's signature is asked for at every login.
        await this.sync(connection);
        await this.sync(connection, size);
      } finally {
        // Also where there is no signature: a server that found its store altered signs nothing over it.
        await this.recheck(connection, random);
      }
    } catch (error) {
      if (!this.trust.fault) throw error;
    }
  }

  /**
   * Fetches what is missing up to the server's present size, at least up to `size`, and holds it against the server's
   * checkpoint. Rejects with SERVER_MISBEHAVED where records up to `size` are not given, with DIRECTORY_FORK where the
   * directory is not the one that this device knows, or breaks its rules.
   */
  async sync(connection: DirectoryServer, size = 0): Promise<void> {
    // How another one ends, on another connection perhaps, is not how this one does.
    while (this.#syncing) await this.#syncing.catch(() => {});
    if (size !== 0 && this.size >= size) return;
    this.#syncing = this.#fetch(connection, size).finally(() => {
      this.#syncing = undefined;
    });
    await this.#syncing;
  }

  /**
   * The newest note of the server whose records are here: who is not logged in is given them with it. `undefined` where
   * there is none.
   */
  async note(): Promise<Uint8Array | undefined> {
    const { logKey, origin, head } = this.trust;
    return head && logKey && (await checkpointNote(head, origin, logKey));
  }

  /**
   * The server does not let this device in, whose record stood there: reads the records of its user's chain, with
   * nobody logged in, and compares them. Answers why nothing may be sent any more, where the server shows others, or
   * did before.
   */
  async notLetIn(
    connection: DirectoryServer,
    device: DeviceId,
  ): Promise<SottoClientError | undefined> {
    const note = await this.note();
    const own = this.directory.device(device);
    if (!this.#checks.oldRecords || !note || !own) return this.trust.refusal(this.size);
    for (const hash of this.directory.user(own.user)?.chain ?? []) {
      const index = this.directory.indexOf(hash) ?? this.size;
      const [known] = await this.records(index, 1);
      const [shown] = (await readPage(connection, index, 1, note)).records;
      if (known && shown && !equalBytes(shown, known)) return await this.#altered(index, shown);
    }
    return this.trust.refusal(this.size);
  }

  /**
   * Reads a few old records again, at a place that `random` chooses: a store that was altered behind the server's
   * back does not go unseen for long. All of them where the server says itself that it was. Rejects with DIRECTORY_FORK.
   */
  async recheck(connection: DirectoryServer, random: () => number): Promise<void> {
    if (!this.#checks.oldRecords || this.size === 0) return;
    // Every record is as likely as any other, and all of a small directory are read.
    const early = Math.min(recheckedRecords, this.size) - 1;
    const place = Math.floor(random() * (this.size + early)) - early;
    const from = this.size <= recheckedRecords ? 0 : Math.max(0, place);
    const page = await readPage(connection, from, recheckedRecords);
    await this.#compare(page, from);
    if (!page.altered) return;
    for (let at = 0, given = 1; at < this.size && given > 0; at += given) {
      const next = await readPage(connection, at, limits.directoryPageRecordsMax);
      await this.#compare(next, at);
      given = next.records.length;
    }
  }

  /** Holds what the server gives from an index on against what is here. Rejects with DIRECTORY_FORK. */
  async #compare({ records }: DirectoryPage, from: number): Promise<void> {
    const known = await this.records(from, records.length);
    for (const [at, bytes] of known.entries()) {
      const shown = records[at];
      if (shown && !equalBytes(shown, bytes)) throw await this.#altered(from + at, shown);
    }
  }

  /**
   * Hands the server what it lacks of what it has signed itself, from `from` on; nothing where this device has no
   * more. `signed` is a head that it has signed; by default the newest that this device has all records of. What
   * the server does not take is no failure: it is held against its signature later.
   */
  async handBack(
    connection: DirectoryServer,
    from: number,
    loggedIn: boolean,
    signed?: Checkpoint,
  ): Promise<void> {
    const { logKey, origin } = this.trust;
    const head = signed ?? this.trust.head;
    if (!head || !logKey || from > head.size) return;
    const records = (at: number, limit: number) => this.records(at, limit);
    await handBack(connection, { head, logKey, origin, from, loggedIn, records }).catch((error) => {
      if (isConnectionLoss(error)) throw error;
    });
  }

  async #fetch(connection: DirectoryServer, size: number): Promise<void> {
    const before = this.size;
    const told: StoreChange[] = [];
    try {
      await this.#follow(connection, told);
    } finally {
      if (this.size > before) for (const grown of this.#grown) grown(told);
    }
    if (this.#checks.withheldRecords && this.size < size) {
      throw new SottoClientError(
        "SERVER_MISBEHAVED",
        "the server holds back records of its key directory",
      );
    }
  }

  /** Takes in what the server gives, holds it against its signature, and hands back what it lacks, once. */
  async #follow(connection: DirectoryServer, told: StoreChange[]): Promise<void> {
    for (let patient = true; ; patient = false) {
      const { serverSize, checkpoint } = await this.#readOn(connection, told);
      const { serverKey } = connection;
      const judged = await this.trust.judge(checkpoint, serverKey, this.directory, patient);
      if (judged === "lacking" && patient)
        await this.handBack(connection, Math.min(serverSize, this.size), true);
      if (judged === "good" || !patient) return;
    }
  }

  /** Takes in all that the server gives. */
  async #readOn(
    connection: DirectoryServer,
    told: StoreChange[],
  ): Promise<{ serverSize: number; checkpoint: SignedCheckpoint | undefined }> {
    for (;;) {
      // One record that is known already comes first: a server that tells another story is found out here.
      const from = Math.max(0, this.size - 1);
      const page = await readPage(connection, from, limits.directoryPageRecordsMax);
      const { checkpoint } = page;
      const serverSize = toSafeNumber(page.size);
      // It has less than this device: whether that is a part of the same, its checkpoint shows.
      if (serverSize < this.size && page.records.length === 0) return { serverSize, checkpoint };
      const [known] = page.records;
      const follows = !this.#last || (known !== undefined && equalBytes(known, this.#last));
      if (this.#checks.directoryOverlap && !follows) throw await this.#altered(from, known);
      const records = this.#last ? page.records.slice(1) : page.records;
      await this.#apply(records, told);
      if (this.size >= serverSize || records.length === 0) return { serverSize, checkpoint };
    }
  }

  async #altered(index: number, shown: Uint8Array | undefined): Promise<SottoClientError> {
    return await this.trust.fail({
      kind: "altered-record",
      what: `record ${index} is not the one that this device has seen there`,
      index,
      ...(shown ? { bytes: toHex(shown) } : {}),
    });
  }

  /** Takes records in and stores them, up to one that breaks the rules. */
  async #apply(records: readonly Uint8Array[], told: StoreChange[]): Promise<void> {
    const changes: StoreChange[] = [];
    const taken: RecordChange[] = [];
    try {
      for (const bytes of records) {
        const key = keyOf(this.size);
        taken.push(await take(this.directory, bytes, this.#checks));
        changes.push({ table: "directory", key, value: bytes });
        this.#last = bytes;
      }
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      throw await this.trust.fail({
        kind: "bad-record",
        what: `record ${this.size} breaks the rules (${error.message})`,
        index: this.size,
        bytes: toHex(records[taken.length] ?? new Uint8Array()),
      });
    } finally {
      if (taken.length > 0) {
        const tells = this.tell(taken);
        await this.#store.commit([...changes, ...tells]);
        told.push(...tells);
      }
    }
  }
}

function keyOf(index: number): string {
  return String(index).padStart(10, "0");
}

function readPage(
  connection: DirectoryServer,
  from: number,
  limit: number,
  note: Uint8Array = new Uint8Array(),
): Promise<DirectoryPage> {
  const value = { from: BigInt(from), limit, note };
  return connection.request({ case: "readDirectory", value }, "directoryPage");
}

/** Takes in the next record where it follows the rules. */
async function take(
  directory: Directory,
  bytes: Uint8Array,
  checks: Checks,
): Promise<RecordChange> {
  if (checks.directoryRules) return await directory.apply(bytes);
  const hash = toHex(await sha256(bytes));
  return await directory.take({ parsed: parseRecord(bytes), hash, index: directory.size });
}
