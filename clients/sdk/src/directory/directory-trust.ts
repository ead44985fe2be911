import {
  type Checkpoint,
  checkpointOrigin,
  type Directory,
  openCheckpoint,
  verifyCheckpoint,
  verifyLogKey,
} from "@sotto/identity";
import { fromHex, type SignedCheckpoint, toHex } from "@sotto/protocol";
import { equalBytes, sha256, textOf, utf8 } from "../bytes.ts";
import type { Checks } from "../checks.ts";
import { SottoClientError } from "../errors.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import {
  type DirectoryFault,
  forkError,
  type HeadBearer,
  type HeadWords,
  type WithheldRecords,
  withheldError,
} from "./directory-fault.ts";
import { type OwedHead, owedHead, owedHeadChange } from "./owed-head.ts";
import { logKeyChanges, pinnedLogKey } from "./pinned-log-key.ts";

/**
 * "good"; "behind": the server has less than it had, and is handed back what it lacks; "withheld": it has signed for
 * more than it gives; "fork": it has shown two directories, or one that breaks the rules.
 */
export type DirectoryStanding = "good" | "behind" | "withheld" | "fork";

export interface TrustOptions {
  readonly store: ProfileStore;
  readonly checks: Checks;
  /** SHA-256 of the server identity key. */
  readonly serverKeySha256: Uint8Array;
  /** Wall time, ms. */
  readonly now: () => number;
}

interface StoredTrust {
  readonly version: 1;
  readonly head?: HeadWords;
  readonly fault?: DirectoryFault;
  readonly withheld?: WithheldRecords;
}

const trustKey = "directory-trust";

/**
 * What this device knows of the server's word for its directory: the key that signs it, the newest head that was
 * signed and found true, and what spoke against it. All of it survives a restart.
 */
export class DirectoryTrust {
  /** Calls back with plain words when something happened that people should know. */
  onNotice: (text: string) => void = () => {};
  /** Calls back when records that were held back are there: what waited for them goes on. */
  onSettled: () => void = () => {};
  readonly #options: TrustOptions;
  readonly #origin: string;
  #logKey: Uint8Array | undefined;
  #head: Checkpoint | undefined;
  #fault: DirectoryFault | undefined;
  #withheld: WithheldRecords | undefined;
  #owed: OwedHead | undefined;
  #behind = false;

  private constructor(options: TrustOptions) {
    this.#options = options;
    this.#origin = checkpointOrigin(options.serverKeySha256);
  }

  static async open(options: TrustOptions): Promise<DirectoryTrust> {
    const trust = new DirectoryTrust(options);
    trust.#logKey = await pinnedLogKey(options.store);
    trust.#owed = await owedHead(options.store);
    const bytes = await options.store.get("meta", trustKey);
    const stored: Partial<StoredTrust> = bytes ? JSON.parse(textOf(bytes)) : {};
    trust.#head = stored.head && checkpointOf(stored.head);
    trust.#fault = stored.fault;
    trust.#withheld = stored.withheld;
    return trust;
  }

  /** The name under which this server's directory signs. */
  get origin(): string {
    return this.#origin;
  }

  /** The key that signs checkpoints, once it is pinned. */
  get logKey(): Uint8Array | undefined {
    return this.#logKey;
  }

  /** The newest head that the server signed and whose records this device has. */
  get head(): Checkpoint | undefined {
    return this.#head;
  }

  get fault(): DirectoryFault | undefined {
    return this.#fault;
  }

  get standing(): DirectoryStanding {
    if (this.#fault) return "fork";
    if (this.#withheld) return "withheld";
    return this.#behind ? "behind" : "good";
  }

  /** Why nothing may be sealed or committed now; `size` is that of this device's copy. */
  refusal(size: number): SottoClientError | undefined {
    if (this.#fault) return forkError(this.#fault);
    return this.#withheld && withheldError(this.#withheld, size);
  }

  /**
   * Judges the checkpoint that came with a page, once this device has all records that the server gives. Pins the log
   * key at its first sight. "lacking" where the server lacks records, or may lack some: they can be handed back;
   * "more" where it has signed for more than it gave, which one who is not `patient` any more takes for withheld.
   * Rejects with DIRECTORY_FORK, or SERVER_MISBEHAVED where there is no checkpoint.
   */
  async judge(
    signed: SignedCheckpoint | undefined,
    serverKey: Uint8Array,
    directory: Directory,
    patient: boolean,
  ): Promise<"good" | "lacking" | "more"> {
    if (!this.#options.checks.checkpoint) return "good";
    if (!signed)
      throw new SottoClientError("SERVER_MISBEHAVED", "the server does not sign its key directory");
    const checkpoint = await this.#open(signed, serverKey);
    const { size } = checkpoint;
    if (!(await this.#meetOwed(directory, patient))) return "more";
    if (size > directory.size) {
      // The directory may have grown between the records and their signature.
      if (!patient) await this.withhold(checkpoint, directory);
      return "more";
    }
    await this.#compare(checkpoint, directory);
    this.#behind = signed.behind || size < (this.#head?.size ?? 0);
    if (size > (this.#head?.size ?? -1)) {
      this.#head = checkpoint;
      await this.#save();
    }
    await this.#settleWithheld(directory);
    return this.#behind ? "lacking" : "good";
  }

  /** True where the server has signed this head. */
  isSigned(head: Checkpoint): Promise<boolean> {
    const logKey = this.#logKey;
    return logKey ? verifyCheckpoint(head, this.#origin, logKey) : Promise.resolve(false);
  }

  /** A head signed by the server that another member was shown; this device has all records of it. Rejects with DIRECTORY_FORK. */
  async compare(head: Checkpoint, directory: Directory, by: HeadBearer): Promise<void> {
    await this.#compare(head, directory, by);
  }

  /** The server has signed this head and does not give its records. */
  async withhold(
    head: Checkpoint,
    directory: Directory,
    by?: HeadBearer,
    knownBy?: "inviter",
  ): Promise<void> {
    if (!this.#options.checks.withheldRecords) return;
    if (this.#withheld && this.#withheld.head.size >= head.size) return;
    const who = { ...(by ? { by } : {}), ...(knownBy ? { knownBy } : {}) };
    this.#withheld = { head: wordsOf(head), ...who, at: this.#options.now() };
    await this.#save();
    this.onNotice(withheldError(this.#withheld, directory.size).message);
  }

  /** Keeps what speaks against the directory, the first time; answers what to reject with. */
  async fail(fault: Omit<DirectoryFault, "at">): Promise<SottoClientError> {
    if (!this.#fault) {
      const ours = this.#head && wordsOf(this.#head);
      this.#fault = { ...(ours ? { ours } : {}), ...fault, at: this.#options.now() };
      await this.#save();
      this.onNotice(forkError(this.#fault).message);
    }
    return forkError(this.#fault);
  }

  async #open(signed: SignedCheckpoint, serverKey: Uint8Array): Promise<Checkpoint> {
    const { note, logKey, logKeyProof } = signed;
    const bytes = toHex(note);
    if (this.#logKey && logKey.length > 0 && !equalBytes(logKey, this.#logKey))
      throw await this.fail({
        kind: "log-key",
        what: "it is signed with another key than before",
        bytes,
      });
    const key = this.#logKey ?? (await this.#pin(logKey, logKeyProof, serverKey));
    const checkpoint = await openCheckpoint(note, this.#origin, key);
    if (checkpoint) return checkpoint;
    throw await this.fail({ kind: "checkpoint", what: "its signature is not valid", bytes });
  }

  async #pin(logKey: Uint8Array, proof: Uint8Array, serverKey: Uint8Array): Promise<Uint8Array> {
    const own = equalBytes(await sha256(serverKey), this.#options.serverKeySha256);
    if (!own || !(await verifyLogKey(logKey, proof, serverKey)))
      throw await this.fail({
        kind: "log-key",
        what: "the server does not vouch for the key that signs it",
        bytes: toHex(logKey),
      });
    this.#logKey = logKey;
    await this.#options.store.commit(logKeyChanges(logKey));
    return logKey;
  }

  async #compare(head: Checkpoint, directory: Directory, by?: HeadBearer): Promise<void> {
    const root = await directory.root(head.size);
    if (equalBytes(root, head.root)) return;
    throw await this.fail({
      kind: "fork",
      what: by
        ? `another member was shown another one: of ${head.size} records there are two`
        : `of ${head.size} records it has signed another directory than it has shown`,
      expected: toHex(root),
      shown: wordsOf(head),
      ...(by ? { by } : {}),
    });
  }

  /** False where the server does not give all that whoever let this device in knows. Rejects with DIRECTORY_FORK. */
  async #meetOwed(directory: Directory, patient: boolean): Promise<boolean> {
    const owed = this.#owed;
    if (!owed || !this.#options.checks.owedHead) return true;
    const head = { ...owed, signature: new Uint8Array() };
    if (owed.size > directory.size) {
      if (!patient) await this.withhold(head, directory, undefined, owed.inviter && "inviter");
      return false;
    }
    const root = await directory.root(owed.size);
    const who = owed.inviter ? "whoever invited you" : "your other device";
    if (!equalBytes(root, owed.root))
      throw await this.fail({
        kind: "fork",
        what: `${who} was shown another one: of ${owed.size} records there are two`,
        expected: toHex(root),
        shown: wordsOf(head),
      });
    if (owed.inviter && !standsIn(directory, owed.inviter, owed.size))
      throw await this.fail({
        kind: "fork",
        what: `${who} is another person in it than in the invite, which was damaged, or not made by them`,
        shown: wordsOf(head),
      });
    this.#owed = undefined;
    await this.#options.store.commit([owedHeadChange(undefined)]);
    return true;
  }

  /** What was held back may be there now. */
  async #settleWithheld(directory: Directory): Promise<void> {
    const withheld = this.#withheld;
    if (!withheld || withheld.head.size > directory.size) return;
    await this.#compare(checkpointOf(withheld.head), directory, withheld.by);
    this.#withheld = undefined;
    await this.#save();
    this.onNotice("the server has given the records of its key directory that it held back");
    this.onSettled();
  }

  async #save(): Promise<void> {
    const json: StoredTrust = {
      version: 1,
      ...(this.#head ? { head: wordsOf(this.#head) } : {}),
      ...(this.#fault ? { fault: this.#fault } : {}),
      ...(this.#withheld ? { withheld: this.#withheld } : {}),
    };
    const value = utf8(JSON.stringify(json));
    await this.#options.store.commit([{ table: "meta", key: trustKey, value }]);
  }
}

/** True where a chain had that head among the first `size` records. */
function standsIn(
  directory: Directory,
  { user, chainHead }: NonNullable<OwedHead["inviter"]>,
  size: number,
): boolean {
  const hash = toHex(chainHead);
  const index = directory.indexOf(hash);
  return index !== undefined && index < size && directory.user(user)?.chain.includes(hash) === true;
}

/** A head as it is kept and shown. */
export function wordsOf({ size, root, signature }: Checkpoint): HeadWords {
  return { size, root: toHex(root), signature: toHex(signature) };
}

function checkpointOf({ size, root, signature }: HeadWords): Checkpoint {
  return { size, root: fromHex(root), signature: fromHex(signature) };
}
