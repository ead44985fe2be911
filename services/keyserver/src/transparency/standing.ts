import { DirectoryStoreError } from "@sotto/directory";
import type { DirectoryHead } from "@sotto/identity";
import { ErrorCode, SottoError, toHex } from "@sotto/protocol";
import type { DirectoryState } from "../directory-state.ts";
import type { LogState } from "./log-state.ts";

/** Why a server takes no new records. */
export type Lack =
  /** It has signed a directory of `signed` records and holds fewer. */
  | { readonly kind: "records"; readonly signed: number }
  /** Its data came from a backup, and the operator has not said what stood before: no client can know that. */
  | { readonly kind: "restored" };

export interface StandingOptions {
  readonly state: DirectoryState;
  readonly logState: LogState;
  /** What is lacking became another thing; `undefined`: nothing any more. */
  readonly changed: (lack: Lack | undefined, size: number) => void;
}

/**
 * Whether the store holds all that this server has signed. Where it does not, the server is behind: it answers
 * readers and takes back what clients hand it, and takes no new records, because those would stand where others
 * stood before, and every client would have to believe that the server lies.
 */
export class Standing {
  readonly #options: StandingOptions;
  #lack: Lack | undefined;

  constructor(options: StandingOptions) {
    this.#options = options;
  }

  /** As of the last look. */
  get lack(): Lack | undefined {
    return this.#lack;
  }

  /**
   * Looks at the store and at what was signed, also by other replicas. Rejects with `DirectoryStoreError` CORRUPT
   * where the store holds other records than were signed, or as store and file system do.
   */
  async look(): Promise<Lack | undefined> {
    const { state, logState } = this.#options;
    await state.catchUp();
    const signed = await logState.largest();
    // Another replica may have appended and signed since the store was read.
    if (signed && signed.size > state.directory.size) await state.catchUp();
    if (signed) await this.#compare(signed);
    this.#settle(await this.#lacking(signed?.size ?? 0));
    return this.#lack;
  }

  /**
   * Only what is known to have stood ends the mark of a backup: a head that somebody brings shows what they have seen,
   * and never that nobody has seen more.
   */
  async #lacking(signed: number): Promise<Lack | undefined> {
    const { state, logState } = this.#options;
    const { directory } = state;
    const restored = await logState.restored();
    const known = restored?.known;
    const stood = Math.max(signed, known?.size ?? 0);
    if (stood > directory.size) return { kind: "records", signed: stood };
    if (!known) return restored && { kind: "restored" };
    if (toHex(await directory.root(known.size)) !== toHex(known.root))
      throw new DirectoryStoreError(
        "CORRUPT",
        `the store does not hold the ${known.size} records that the file restored names: it has others, or the file is wrong`,
      );
    await logState.forgetRestored();
    return undefined;
  }

  /** Rejects with `SottoError` READ_ONLY while the server takes no new records, or as `look` does. */
  async refuseRecords(): Promise<void> {
    const { state } = this.#options;
    // Looking may be what finds it.
    const lack = await this.look().catch((error: unknown) => {
      if (!state.isAltered) throw error;
      return undefined;
    });
    if (state.isAltered) throw alteredStore();
    if (lack) throw readOnly();
  }

  async #compare({ size, root }: DirectoryHead): Promise<void> {
    const { directory } = this.#options.state;
    if (size > directory.size || toHex(await directory.root(size)) === toHex(root)) return;
    this.#options.state.markAltered();
    throw new DirectoryStoreError(
      "CORRUPT",
      `the store does not hold the ${size} records that this server has signed: it was altered or replaced`,
    );
  }

  #settle(lack: Lack | undefined): void {
    const before = this.#lack;
    this.#lack = lack;
    if (JSON.stringify(before) !== JSON.stringify(lack))
      this.#options.changed(lack, this.#options.state.directory.size);
  }
}

/** What whoever brings a new record is told once the store was altered. */
function alteredStore(): SottoError {
  return new SottoError(
    ErrorCode.READ_ONLY,
    "somebody altered this server's key directory: nobody joins, adds a device or makes an invite until whoever " +
      "runs the server restores it from a backup",
  );
}

/** What whoever brings a new record is told while some are lacking. */
export function readOnly(): SottoError {
  return new SottoError(
    ErrorCode.READ_ONLY,
    "this server lacks records that it had: it takes no new ones until they were handed back",
  );
}
