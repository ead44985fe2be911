import { Serial } from "@sotto/actor";
import { type AppendOutcome, type DirectoryStore, DirectoryStoreError } from "@sotto/directory";
import { Directory, RecordError, sha256Hex } from "@sotto/identity";
import { ErrorCode, SottoError } from "@sotto/protocol";
import { recordRefusal } from "./refusal.ts";

const pageRecords = 1000;
const attemptsMax = 5;

/** What goes with a record into the store. */
export interface AppendCondition {
  /** SHA-256 of the invite's server token, hex: one use of it is taken in the same step. */
  readonly redeemInvite?: string;
  /** Only as the first record of all. */
  readonly expectEmpty?: boolean;
  /** Wall time, ms. */
  readonly now: number;
}

/** Where a record stands; `fresh` where it was appended now, and did not stand there before. */
export interface AppendedRecord {
  readonly index: number;
  readonly fresh: boolean;
}

/**
 * The key directory: the store's records, folded in memory. The store is the truth; another replica may
 * append at any time, so every append begins by reading what is new, and begins again where it lost.
 */
export class DirectoryState {
  readonly directory = new Directory();
  /** Called once, when the store is seen to hold other bytes than it took; `index`: of the record, where it is known. */
  onAltered: (index: number | undefined) => void = () => {};
  readonly #store: DirectoryStore;
  readonly #serial = new Serial();
  /** A reading that has not begun, shared by all who ask meanwhile. */
  #next: Promise<void> | undefined;
  /** The last record, as it stands in the store. */
  #last: Uint8Array | undefined;
  #isSetBack = false;
  #isAltered = false;
  #damage: RecordError | undefined;

  private constructor(store: DirectoryStore) {
    this.#store = store;
  }

  /**
   * Folds all records of the store. One that breaks the rules is passed over, and the store is altered from the start: so
   * that those whom it does not concern can go on, and everybody can see what stands there.
   */
  static async open(store: DirectoryStore): Promise<DirectoryState> {
    const state = new DirectoryState(store);
    await state.#begin();
    return state;
  }

  /** The first record that was found to break the rules at the start, and how. */
  get damage(): RecordError | undefined {
    return this.#damage;
  }

  /** True once the store did not hold what it held before: nothing is answered from it any more. */
  get isSetBack(): boolean {
    return this.#isSetBack;
  }

  /** True once the store was seen to hold other bytes than it took: no record is added to it any more. */
  get isAltered(): boolean {
    return this.#isAltered;
  }

  /** Somebody saw that the store holds other bytes than it took. */
  markAltered(index?: number): void {
    if (this.#isAltered) return;
    this.#isAltered = true;
    this.onAltered(index);
  }

  /** Compares what the store holds at a place with what it took; a place that is not folded yet is not known. */
  async compare(index: number, bytes: Uint8Array): Promise<void> {
    if (index >= this.directory.size) return;
    if (this.directory.indexOf(await sha256Hex(bytes)) !== index) this.markAltered(index);
  }

  /** Takes in all that stands in the store at the time of the call. */
  catchUp(): Promise<void> {
    this.#next ??= this.#serial.run(async () => {
      this.#next = undefined;
      await this.#catchUp();
    });
    return this.#next;
  }

  /**
   * Checks a record, appends it durably and takes it in. A record that stands already is not appended again:
   * its sender has lost the answer. Rejects with `SottoError` (BAD_RECORD, BAD_SIGNATURE, CHAIN_CONFLICT,
   * NAME_TAKEN, DEVICE_REVOKED, INVITE_…) or as the store does.
   */
  append(bytes: Uint8Array, condition: AppendCondition): Promise<AppendedRecord> {
    return this.#serial.run(async () => {
      for (let attempt = 1; ; attempt++) {
        await this.#catchUp();
        if (this.#isAltered)
          throw new DirectoryStoreError("CORRUPT", "the store holds other bytes than it took");
        const standing = this.directory.indexOf(await sha256Hex(bytes));
        if (standing !== undefined) return { index: standing, fresh: false };
        const outcome = await this.#tryAppend(bytes, condition);
        if (outcome.ok) return { index: outcome.index, fresh: true };
        if (outcome.why !== "CHAIN_CONFLICT" || attempt === attemptsMax) throw refused(outcome.why);
      }
    });
  }

  async #tryAppend(bytes: Uint8Array, condition: AppendCondition): Promise<AppendOutcome> {
    const checked = await this.directory.check(bytes).catch((error) => {
      throw recordRefusal(error);
    });
    const { record } = checked.parsed;
    const outcome = await this.#store.append({
      bytes,
      user: record.user,
      chainSequence: record.seq,
      ...(record.typ === "user-create" ? { claimName: record.name } : {}),
      ...condition,
    });
    if (!outcome.ok) return outcome;
    // Where others appended in between, theirs come first.
    if (outcome.index === this.directory.size) {
      await this.directory.take(checked);
      this.#last = bytes;
    } else await this.#catchUp();
    return outcome;
  }

  async #begin(): Promise<void> {
    for (;;) {
      const page = await this.#store.read(this.directory.size, pageRecords);
      for (const { bytes } of page)
        await this.#take(bytes).catch(async (error: unknown) => {
          if (!(error instanceof RecordError)) throw error;
          this.#damage ??= error;
          this.markAltered();
          await this.directory.passOver(bytes);
          this.#last = bytes;
        });
      if (page.length < pageRecords) return;
    }
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      const known = this.directory.size;
      // One record that is known comes first: a store that lost what it held is found out here.
      const page = await this.#store.read(Math.max(0, known - 1), pageRecords);
      const fresh = known > 0 ? page.slice(1) : page;
      if (known > 0) this.#compareLast(page[0]?.bytes);
      // What follows an altered record is judged by what stood there: it may be good, and the rest is not.
      if (this.#isAltered) return;
      for (const { bytes } of fresh) await this.#take(bytes);
      if (page.length < pageRecords) return;
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    const index = this.directory.size;
    await this.directory.apply(bytes).catch((cause: unknown) => {
      if (!(cause instanceof RecordError)) throw cause;
      throw new RecordError(cause.code, `record ${index}: ${cause.message}`, { cause });
    });
    this.#last = bytes;
  }

  #compareLast(stands: Uint8Array | undefined): void {
    const last = this.#last;
    if (last && stands && Buffer.compare(last, stands) === 0) return;
    if (stands) {
      this.markAltered(this.directory.size - 1);
      return;
    }
    this.#isSetBack = true;
    throw new DirectoryStoreError(
      "CORRUPT",
      "the store does not hold the records that it held: it was set back or replaced",
    );
  }
}

type Refusal = Extract<AppendOutcome, { ok: false }>["why"];

const refusals: Readonly<Record<Refusal, readonly [ErrorCode, string]>> = {
  CHAIN_CONFLICT: [ErrorCode.CHAIN_CONFLICT, "another record came first"],
  NAME_TAKEN: [ErrorCode.NAME_TAKEN, "that name is taken"],
  INVITE_UNKNOWN: [ErrorCode.INVITE_UNKNOWN, "this server does not know that invite"],
  INVITE_EXPIRED: [ErrorCode.INVITE_EXPIRED, "that invite has expired; ask for another one"],
  INVITE_USED: [ErrorCode.INVITE_USED, "that invite was used already; ask for another one"],
  NOT_EMPTY: [ErrorCode.INVITE_USED, "this server has an owner; ask for an invite of your own"],
};

/** Why the store did not take a record, as a client is told. */
export function refused(why: Refusal): SottoError {
  return new SottoError(...refusals[why]);
}
