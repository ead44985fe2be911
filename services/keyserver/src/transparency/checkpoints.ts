import type { MessageInitShape } from "@bufbuild/protobuf";
import { Serial } from "@sotto/actor";
import { type DirectoryStore, DirectoryStoreError } from "@sotto/directory";
import {
  type Checkpoint,
  checkpointNote,
  checkpointOrigin,
  openCheckpoint,
  sha256,
  signCheckpoint,
  signLogKey,
} from "@sotto/identity";
import type { SignedCheckpointSchema } from "@sotto/protocol";
import type { DirectoryState } from "../directory-state.ts";
import type { ServerKeys } from "../server-keys.ts";
import type { LogState } from "./log-state.ts";
import type { Standing } from "./standing.ts";

type SignedCheckpoint = MessageInitShape<typeof SignedCheckpointSchema>;

interface Signed {
  readonly size: number;
  readonly note: Uint8Array;
}

export interface CheckpointsOptions {
  readonly state: DirectoryState;
  readonly standing: Standing;
  readonly store: DirectoryStore;
  readonly logState: LogState;
  readonly keys: Pick<ServerKeys, "identityKey" | "logKey">;
  /** A new head could not be signed, and the one before was given. */
  readonly failed: (error: unknown) => void;
}

/**
 * Signs what the directory is. A checkpoint leaves only after its records are durable, and after it is remembered
 * durably that it did: whoever holds one can demand its records for ever.
 */
export class Checkpoints {
  readonly #options: CheckpointsOptions;
  readonly #origin: string;
  readonly #logKeyProof: Uint8Array;
  readonly #serial = new Serial();
  #newest: Signed | undefined;

  private constructor(options: CheckpointsOptions, origin: string, logKeyProof: Uint8Array) {
    this.#options = options;
    this.#origin = origin;
    this.#logKeyProof = logKeyProof;
  }

  /** Has the server identity vouch for the log key. */
  static async open(options: CheckpointsOptions): Promise<Checkpoints> {
    const { identityKey, logKey } = options.keys;
    const origin = checkpointOrigin(await sha256(identityKey.publicKey));
    return new Checkpoints(options, origin, await signLogKey(logKey.publicKey, identityKey));
  }

  /**
   * The newest checkpoint: of all records that this replica has taken in, or the last one from before where it cannot
   * be signed now (a full disk), or never will be because the store was altered. Rejects as store and file system
   * do where there is none, and with `DirectoryStoreError` CORRUPT for an altered store.
   */
  async newest(): Promise<SignedCheckpoint> {
    const { state, standing, keys } = this.#options;
    // Another replica may have stored what was lacking.
    if (standing.lack) await standing.look();
    const known = this.#newest;
    const stands = known && (state.isAltered || known.size === state.directory.size);
    const { note } = stands ? known : await this.#signOr(known);
    return {
      note,
      logKey: keys.logKey.publicKey,
      logKeyProof: this.#logKeyProof,
      behind: standing.lack !== undefined,
    };
  }

  /** What a note says that this server signed; `undefined` where it did not. Never rejects. */
  open(note: Uint8Array): Promise<Checkpoint | undefined> {
    return openCheckpoint(note, this.#origin, this.#options.keys.logKey.publicKey);
  }

  async #signOr(known: Signed | undefined): Promise<Signed> {
    try {
      return await this.#serial.run(() => this.#sign());
    } catch (error) {
      if (!known) throw error;
      this.#options.failed(error);
      return known;
    }
  }

  async #sign(): Promise<Signed> {
    const { state, standing, store, logState, keys } = this.#options;
    const { logKey } = keys;
    const lack = await standing.look();
    if (state.isAltered)
      throw new DirectoryStoreError("CORRUPT", "the store holds other bytes than it took");
    const head = await state.directory.head();
    if (this.#newest?.size === head.size) return this.#newest;
    // What another replica appended was read here, and may not be on the disk yet.
    await store.settled();
    // One that is behind has signed this head before, in an earlier life.
    if (lack?.kind !== "records") await logState.release(head);
    const checkpoint = await signCheckpoint(head, this.#origin, logKey);
    const note = await checkpointNote(checkpoint, this.#origin, logKey.publicKey);
    this.#newest = { size: head.size, note };
    return this.#newest;
  }
}
