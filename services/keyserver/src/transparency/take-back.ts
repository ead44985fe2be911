import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Serial } from "@sotto/actor";
import type { Bus } from "@sotto/bus";
import type { Clock } from "@sotto/clock";
import type { Checkpoint, DirectoryHead } from "@sotto/identity";
import { HandBackHintSchema, subjects } from "@sotto/interservice";
import { ErrorCode, type HandBackRecords, SottoError, toHex, toSafeNumber } from "@sotto/protocol";
import type { DirectoryState } from "../directory-state.ts";
import type { Checkpoints } from "./checkpoints.ts";
import { Contributions } from "./contributions.ts";
import type { HandedBackOptions } from "./handed-back-records.ts";
import type { LogState } from "./log-state.ts";
import type { Standing } from "./standing.ts";

type HandBack = Pick<HandBackRecords, "note" | "from" | "records" | "contribution">;

export interface TakeBackOptions extends HandedBackOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly state: DirectoryState;
  readonly standing: Standing;
  readonly checkpoints: Checkpoints;
  readonly logState: LogState;
  /** Records were stored again, from an index on. */
  readonly stored: (from: number) => Promise<void>;
  /** The store has other records than those that the server signed: it parted from what clients have. */
  readonly parted: (head: DirectoryHead) => void;
  readonly failed: (error: unknown) => void;
}

/** Chance enough that nobody speaks in another's contribution. */
const contributionBytes = 16;

/** How long a client waits for its records to be stored; beyond it they are held, and will be. */
const storedWithinMs = 2000;

/**
 * Takes back records that this server had: its data came from a backup that is older than what it has signed. It
 * takes them from anybody, because whom they let in cannot log in before they stand; their proof is the server's
 * own signature over size and root. Each contribution is held by itself, so that nobody disturbs another's. What one replica is handed it passes to the others, because the next part may
 * come to one of them.
 */
export class TakeBack implements AsyncDisposable {
  readonly #options: TakeBackOptions;
  readonly #contributions: Contributions;
  readonly #turns = new Serial();
  readonly #replica = crypto.getRandomValues(new Uint8Array(16));
  #stopped = false;

  constructor(options: TakeBackOptions) {
    this.#options = options;
    this.#contributions = new Contributions(options);
  }

  /**
   * What a client hands back. Answers where to go on. Rejects with `SottoError`: BAD_SIGNATURE for a note that is
   * not this server's, CHAIN_CONFLICT where the store has other records, or as records are refused.
   */
  async take(handed: HandBack): Promise<number> {
    const next = await this.#take(handed);
    const { note, from, records, contribution } = handed;
    const { bus } = this.#options;
    const words = { replica: this.#replica, note, from, records, contribution };
    const hint = create(HandBackHintSchema, words);
    bus.publish(subjects.hintHandBack, toBinary(HandBackHintSchema, hint));
    return next;
  }

  /** What a client handed to another replica. Never rejects. */
  async hear(data: Uint8Array): Promise<void> {
    try {
      const hint = fromBinary(HandBackHintSchema, data);
      if (toHex(hint.replica) !== toHex(this.#replica)) await this.#take(hint);
    } catch (error) {
      if (!(error instanceof SottoError)) this.#options.failed(error);
    }
  }

  /** Stores no further record, and waits for the one under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#turns.run(async () => {});
  }

  async #take(handed: HandBack): Promise<number> {
    const { note } = handed;
    const { state, standing, checkpoints, logState } = this.#options;
    const signed = await checkpoints.open(note);
    if (!signed) throw new SottoError(ErrorCode.BAD_SIGNATURE, "that note is not this server's");
    await standing.look();
    if (handed.contribution.length !== contributionBytes)
      throw new SottoError(ErrorCode.BAD_REQUEST, `a contribution has ${contributionBytes} bytes`);
    if (signed.size <= state.directory.size) return await this.#compare(signed);
    // From here on it is behind, on every replica and after every restart, whoever knew it before.
    await logState.release(signed);
    await standing.look();
    const answer = Promise.withResolvers<number>();
    const turn = async () => {
      const held = await this.#hold(handed, signed);
      if (!held.found) return answer.resolve(held.next);
      const { found } = held;
      const { clock } = this.#options;
      const timer = clock.after(storedWithinMs, () => answer.resolve(signed.size));
      await this.#store(found.begin, found.records).finally(() => timer.cancel());
      answer.resolve(signed.size);
    };
    this.#turns.run(turn).catch((error: unknown) => {
      if (!(error instanceof SottoError)) this.#options.failed(error);
      answer.reject(error);
    });
    return await answer.promise;
  }

  /** A head that the store has reached. */
  async #compare(signed: Checkpoint): Promise<number> {
    const { directory } = this.#options.state;
    if (toHex(await directory.root(signed.size)) !== toHex(signed.root)) throw this.#parted(signed);
    return directory.size;
  }

  async #hold({ from, records, contribution }: HandBack, signed: Checkpoint) {
    const { directory } = this.#options.state;
    const held = this.#contributions.of(toHex(contribution), directory);
    try {
      await held.hold(directory, toSafeNumber(from), records, signed.size);
    } finally {
      this.#contributions.bound(toHex(contribution));
    }
    const found = await held.reaching(signed);
    // Each was a good record, and some did not stand there.
    if (found === "other") held.drop(directory);
    return { found: found === "other" ? undefined : found, next: held.next };
  }

  async #store(begin: number, records: readonly Uint8Array[]): Promise<void> {
    const { state, standing, clock, stored } = this.#options;
    for (const [at, bytes] of records.entries()) {
      if (this.#stopped) return;
      const { index } = await state.append(bytes, { now: clock.now() });
      if (index !== begin + at) throw this.#parted(await state.directory.head());
    }
    this.#contributions.clear();
    await standing.look();
    await stored(begin);
  }

  #parted(head: DirectoryHead): SottoError {
    this.#options.parted(head);
    return new SottoError(ErrorCode.CHAIN_CONFLICT, "this server has other records than it signed");
  }
}
