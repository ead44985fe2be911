import type { AppendOutcome, DirectoryStore } from "@sotto/directory";
import { Directory, sha256Hex } from "@sotto/identity";
import { ErrorCode, SottoError } from "@sotto/protocol";
import { recordRefusal } from "./refusal.ts";
import { Serial } from "./serial.ts";

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
  readonly #store: DirectoryStore;
  readonly #serial = new Serial();
  /** A reading that has not begun, shared by all who ask meanwhile. */
  #next: Promise<void> | undefined;

  private constructor(store: DirectoryStore) {
    this.#store = store;
  }

  /** Folds all records of the store. Rejects with `RecordError` where one breaks the rules. */
  static async open(store: DirectoryStore): Promise<DirectoryState> {
    const state = new DirectoryState(store);
    await state.catchUp();
    return state;
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
    if (outcome.index === this.directory.size) await this.directory.take(checked);
    else await this.#catchUp();
    return outcome;
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      const page = await this.#store.read(this.directory.size, pageRecords);
      for (const { bytes } of page) await this.directory.apply(bytes);
      if (page.length < pageRecords) return;
    }
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
