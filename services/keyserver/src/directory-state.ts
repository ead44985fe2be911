import type { AppendOutcome, DirectoryStore } from "@sotto/directory";
import { Directory, RecordError } from "@sotto/identity";
import { ErrorCode, SottoError } from "@sotto/protocol";
import { Serial } from "./serial.ts";

const pageRecords = 1000;
const attemptsMax = 5;

/** What goes with a record into the store. */
export interface AppendCondition {
  /** SHA-256 of the invite's server token, hex: one use of it is taken in the same step. */
  readonly redeemInvite?: string;
  /** Wall time, ms. */
  readonly now: number;
}

/**
 * The key directory: the store's records, folded in memory. The store is the truth; another replica may
 * append at any time, so every append begins by reading what is new.
 */
export class DirectoryState {
  readonly directory = new Directory();
  readonly #store: DirectoryStore;
  readonly #serial = new Serial();

  private constructor(store: DirectoryStore) {
    this.#store = store;
  }

  /** Folds all records of the store. Rejects with `RecordError` where one breaks the rules. */
  static async open(store: DirectoryStore): Promise<DirectoryState> {
    const state = new DirectoryState(store);
    await state.catchUp();
    return state;
  }

  /** Takes in what others have appended. */
  catchUp(): Promise<void> {
    return this.#serial.run(() => this.#catchUp());
  }

  /**
   * Checks a record, appends it durably and takes it in. Resolves with its index. Rejects with `SottoError`
   * (BAD_RECORD, BAD_SIGNATURE, CHAIN_CONFLICT, NAME_TAKEN, DEVICE_REVOKED, INVITE_…).
   */
  append(bytes: Uint8Array, condition: AppendCondition): Promise<number> {
    return this.#serial.run(async () => {
      for (let attempt = 1; ; attempt++) {
        await this.#catchUp();
        const checked = await this.directory.check(bytes).catch((error) => {
          throw refusalOf(error);
        });
        const { record } = checked.parsed;
        const outcome = await this.#store.append({
          bytes,
          user: record.user,
          chainSequence: record.seq,
          ...(record.typ === "user-create" ? { claimName: record.name } : {}),
          ...condition,
        });
        if (!outcome.ok && outcome.why === "CHAIN_CONFLICT" && attempt < attemptsMax) continue;
        if (!outcome.ok) throw outcomeError(outcome);
        if (outcome.index === this.directory.size) await this.directory.take(checked);
        else await this.#catchUp();
        return outcome.index;
      }
    });
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      const page = await this.#store.read(this.directory.size, pageRecords);
      for (const { bytes } of page) await this.directory.apply(bytes);
      if (page.length < pageRecords) return;
    }
  }
}

const recordRefusals: Readonly<Record<RecordError["code"], ErrorCode>> = {
  MALFORMED: ErrorCode.BAD_RECORD,
  SIGNATURE: ErrorCode.BAD_SIGNATURE,
  CHAIN: ErrorCode.CHAIN_CONFLICT,
  NAME_TAKEN: ErrorCode.NAME_TAKEN,
  REVOKED: ErrorCode.DEVICE_REVOKED,
};

function refusalOf(error: unknown): unknown {
  return error instanceof RecordError
    ? new SottoError(recordRefusals[error.code], error.message)
    : error;
}

function outcomeError(outcome: Extract<AppendOutcome, { ok: false }>): SottoError {
  switch (outcome.why) {
    case "CHAIN_CONFLICT":
    case "NOT_EMPTY":
      return new SottoError(ErrorCode.CHAIN_CONFLICT, "another record came first");
    case "NAME_TAKEN":
      return new SottoError(ErrorCode.NAME_TAKEN, "that name is taken");
    case "INVITE_UNKNOWN":
      return new SottoError(ErrorCode.INVITE_UNKNOWN, "this server does not know that invite");
    case "INVITE_EXPIRED":
      return new SottoError(
        ErrorCode.INVITE_EXPIRED,
        "that invite has expired; ask for another one",
      );
    case "INVITE_USED":
      return new SottoError(
        ErrorCode.INVITE_USED,
        "that invite was used already; ask for another one",
      );
  }
}
