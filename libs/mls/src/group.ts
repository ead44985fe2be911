import {
  type CiphersuiteImpl,
  type ClientState,
  createApplicationMessage,
  createCommit,
  createGroupInfoWithExternalPub,
  mlsExporter,
  type Proposal,
} from "ts-mls";
import { ratchetUntil } from "ts-mls/secretTree.js";
import { type CommitExpectation, processCommit, processProposal } from "./commit-rules.ts";
import type { ForeignGroups } from "./foreign-groups.ts";
import { decodeVerified } from "./key-packages.ts";
import { identityOf, type Judge, type LeafIdentity } from "./leaf-identity.ts";
import { guarded, MlsError } from "./mls-error.ts";
import { type OpenedMessage, openMessage } from "./open-message.ts";
import { policyExtension, safeConfig } from "./safe-config.ts";
import { decodeState, encodeEpochState, encodeState } from "./stored-group.ts";
import { encodeRatchets } from "./stored-ratchets.ts";
import type { SuiteName } from "./suite.ts";
import { encodeMessage, encodeTree } from "./wire.ts";

/** A member's device. */
export interface Member extends LeafIdentity {
  readonly leafIndex: number;
  readonly signaturePublicKey: Uint8Array;
}

/** A commit that was made and not merged: the group stays as it was until `confirm`. */
export interface PendingCommit {
  /** MLSMessage of type PublicMessage. */
  readonly commit: Uint8Array;
  /** MLSMessage of type Welcome, without the tree; where somebody was added. */
  readonly welcome: Uint8Array | undefined;
  /** MLSMessage of type GroupInfo of the new epoch, without the tree. */
  readonly groupInfo: Uint8Array;
  /** Ratchet tree of the new epoch. */
  readonly tree: Uint8Array;
  /** The group after the commit, for `Group.confirm`, `Mls.restore` and storage. Secret. */
  serialise(): Uint8Array;
}

export type ProcessOutcome =
  | { readonly outcome: "applied"; readonly epochAuthenticator: Uint8Array }
  | { readonly outcome: "removed" };

export interface SealedMessage {
  /** MLSMessage of type PrivateMessage. */
  readonly sealed: Uint8Array;
  readonly epoch: number;
  readonly generation: number;
}

/** What must be stored of a group so that it can be restored, in one transaction. Secret. */
export interface GroupToStore {
  /** Undefined where what was stored last is still right: it changes with commits, not with messages. */
  readonly epochState: Uint8Array | undefined;
  readonly ratchets: Uint8Array;
  /** To be called once it is durable. */
  stored(): void;
}

/**
 * One MLS group of this device. Not safe for calls at the same time: its owner runs them in turn. A call
 * that rejects leaves the group as it was.
 */
export class Group {
  readonly #suite: SuiteName;
  readonly #cs: CiphersuiteImpl;
  readonly #foreign: ForeignGroups | undefined;
  #state: ClientState;
  #members: readonly Member[] | undefined;
  /** Counts what changed besides the present epoch's ratchets, and how much of it is stored. */
  #epochStates = 1;
  #epochStatesStored = 0;

  /** `stored`: the state is one whose epoch state and ratchets are in the store. `foreign`: see `Mls`. */
  constructor(
    suite: SuiteName,
    cs: CiphersuiteImpl,
    state: ClientState,
    stored = false,
    foreign?: ForeignGroups,
  ) {
    this.#foreign = foreign;
    if (stored) this.#epochStatesStored = this.#epochStates;
    this.#suite = suite;
    this.#cs = cs;
    this.#state = state;
  }

  /** The group id: the room's. */
  get room(): Uint8Array {
    return this.#state.groupContext.groupId;
  }

  get epoch(): number {
    return Number(this.#state.groupContext.epoch);
  }

  /** Equal for everybody who is in the same epoch of the same group (RFC 9420 section 8.7). */
  get epochAuthenticator(): Uint8Array {
    return this.#state.keySchedule.epochAuthenticator;
  }

  /** The room's policy, as in the group context. Empty where there is none. */
  get policy(): Uint8Array {
    const { extensions } = this.#state.groupContext;
    return (
      extensions.find(({ extensionType }) => extensionType === policyExtension)?.extensionData ??
      new Uint8Array()
    );
  }

  /** The generation that the next sealed message takes. */
  get nextGeneration(): number {
    return this.#ownRatchet().application.generation;
  }

  members(): readonly Member[] {
    this.#members ??= membersOf(this.#state);
    return this.#members;
  }

  /** The ratchet tree, for those who join. */
  tree(): Uint8Array {
    return encodeTree(this.#state.ratchetTree);
  }

  /** MLSMessage of type GroupInfo, without the tree, good for external commits. */
  async groupInfo(): Promise<Uint8Array> {
    return await groupInfoOf(this.#state, this.#cs);
  }

  /** Makes a commit that adds devices by their KeyPackages. */
  async stageAdd(keyPackages: readonly Uint8Array[], judge: Judge): Promise<PendingCommit> {
    const packages = await Promise.all(
      keyPackages.map((bytes) => decodeVerified(this.#suite, this.#cs, bytes)),
    );
    const proposals = packages.map(
      (keyPackage): Proposal => ({ proposalType: "add", add: { keyPackage } }),
    );
    return await this.#stage(proposals, judge);
  }

  /** Makes a commit that removes devices. */
  async stageRemove(devices: readonly string[]): Promise<PendingCommit> {
    const proposals = devices.map((device): Proposal => {
      const member = this.members().find((candidate) => candidate.device === device);
      if (!member) throw new MlsError("NOT_A_MEMBER", "a device to remove is not in the group");
      return { proposalType: "remove", remove: { removed: member.leafIndex } };
    });
    return await this.#stage(proposals);
  }

  /** Makes a commit that only renews this device's keys. */
  async stageUpdate(): Promise<PendingCommit> {
    return await this.#stage([]);
  }

  /** Makes a commit that replaces the room's policy, and nothing else. */
  async stagePolicy(policy: Uint8Array): Promise<PendingCommit> {
    const extensions = [{ extensionType: policyExtension, extensionData: policy }];
    return await this.#stage([
      { proposalType: "group_context_extensions", groupContextExtensions: { extensions } },
    ]);
  }

  /** Merges a staged commit that has won. Rejects with `MlsError` BROKEN_STATE. */
  async confirm(staged: Uint8Array): Promise<void> {
    const next = decodeState(staged);
    if (sameBytes(next.keySchedule.epochAuthenticator, this.epochAuthenticator)) {
      throw new MlsError("BAD_COMMIT", "the commit began no new epoch");
    }
    this.#become(next);
  }

  /**
   * Applies another device's commit where it does what its envelope says. Rejects with `MlsError`
   * (BAD_COMMIT, BAD_MESSAGE, WRONG_EPOCH, FUTURE_EPOCH), the group unchanged.
   */
  async process(
    commit: Uint8Array,
    options: { expect: CommitExpectation | "anything"; judge: Judge },
  ): Promise<ProcessOutcome> {
    const { newState, consumed } = await processCommit(
      this.#judgedBy(options.judge),
      commit,
      options.expect,
      options.judge,
      this.#cs,
      this.#foreign?.psks,
    );
    if (newState.groupActiveState.kind === "removedFromGroup") return { outcome: "removed" };
    const authenticator = newState.keySchedule.epochAuthenticator;
    if (sameBytes(authenticator, this.epochAuthenticator)) {
      throw new MlsError("BAD_COMMIT", "the commit began no new epoch");
    }
    this.#become(newState);
    for (const secret of consumed) secret.fill(0);
    return { outcome: "applied", epochAuthenticator: authenticator };
  }

  /**
   * Keeps another member's proposal for the commit that names it. Commits of Sotto carry all that they do, so only
   * foreign groups keep any. Rejects with `MlsError` BAD_COMMIT, WRONG_EPOCH, FUTURE_EPOCH, the group unchanged.
   */
  async takeProposal(proposal: Uint8Array, judge: Judge): Promise<void> {
    if (!this.#foreign)
      throw new MlsError("BAD_COMMIT", "a proposal outside of a commit, which Sotto has none of");
    this.#become(await processProposal(this.#judgedBy(judge), proposal, this.#cs));
  }

  /** Seals a message to the group as it is now. `aad` is authenticated, not hidden. */
  async seal(plaintext: Uint8Array, aad: Uint8Array): Promise<SealedMessage> {
    const generation = this.nextGeneration;
    const sealed = await guarded("REMOVED", () =>
      createApplicationMessage(this.#state, plaintext, this.#cs, aad),
    );
    this.#state = sealed.newState;
    for (const secret of sealed.consumed) secret.fill(0);
    const { privateMessage } = sealed;
    return {
      sealed: encodeMessage({
        version: "mls10",
        wireformat: "mls_private_message",
        privateMessage,
      }),
      epoch: this.epoch,
      generation,
    };
  }

  /** Opens a message of this epoch or one of the three before. Rejects with `MlsError`, the group unchanged. */
  async open(sealed: Uint8Array): Promise<OpenedMessage> {
    const { message, state, consumed } = await openMessage(this.#state, sealed, this.#cs);
    if (state.historicalReceiverData !== this.#state.historicalReceiverData) this.#epochStates++;
    this.#state = state;
    for (const secret of consumed) secret.fill(0);
    return message;
  }

  /**
   * After a crash: moves this device's own ratchet to `generation`, so that none before it, which may have
   * left the device, is used again.
   */
  async resumeAt(generation: number): Promise<void> {
    const ratchet = this.#ownRatchet();
    if (ratchet.application.generation >= generation) return;
    const far = {
      ...this.#state.clientConfig.keyRetentionConfig,
      maximumForwardRatchetSteps: 1_000_000,
    };
    const [moved] = await ratchetUntil(ratchet.application, generation, far, this.#cs.kdf);
    const secretTree = [...this.#state.secretTree];
    secretTree[2 * this.#state.privatePath.leafIndex] = {
      ...ratchet,
      application: { ...moved, unusedGenerations: {} },
    };
    this.#state = { ...this.#state, secretTree };
  }

  /** A secret that everybody in this epoch can derive, and nobody else (RFC 9420 section 8.5). */
  async exporter(label: string, context: Uint8Array, length: number): Promise<Uint8Array> {
    return await mlsExporter(
      this.#state.keySchedule.exporterSecret,
      label,
      context,
      length,
      this.#cs,
    );
  }

  /** The whole state as one value, for `Mls.restore`. Secret. */
  serialise(): Uint8Array {
    return encodeState(this.#state);
  }

  /** The state in two values, of which a message changes only the small one. */
  toStore(): GroupToStore {
    const now = this.#epochStates;
    return {
      epochState: this.#epochStatesStored === now ? undefined : encodeEpochState(this.#state),
      ratchets: encodeRatchets(this.#state),
      stored: () => {
        this.#epochStatesStored = Math.max(this.#epochStatesStored, now);
      },
    };
  }

  async #stage(proposals: Proposal[], judge: Judge = () => true): Promise<PendingCommit> {
    const made = await guarded("BAD_COMMIT", () =>
      createCommit(
        { state: this.#judgedBy(judge), cipherSuite: this.#cs },
        { extraProposals: proposals, wireAsPublicMessage: true },
      ),
    );
    const { newState, welcome } = made;
    return {
      commit: encodeMessage(made.commit),
      welcome: welcome && encodeMessage({ version: "mls10", wireformat: "mls_welcome", welcome }),
      groupInfo: await groupInfoOf(newState, this.#cs),
      tree: encodeTree(newState.ratchetTree),
      serialise: () => encodeState(newState),
    };
  }

  #judgedBy(judge: Judge): ClientState {
    return { ...this.#state, clientConfig: safeConfig(judge, this.#foreign?.identityOf) };
  }

  #ownRatchet() {
    const node = this.#state.secretTree[2 * this.#state.privatePath.leafIndex];
    if (!node) throw new MlsError("REMOVED", "this device has no leaf in the group");
    return node;
  }

  #become(state: ClientState): void {
    this.#state = state;
    this.#members = undefined;
    this.#epochStates++;
  }
}

async function groupInfoOf(state: ClientState, cs: CiphersuiteImpl): Promise<Uint8Array> {
  const groupInfo = await createGroupInfoWithExternalPub(state, [], cs);
  return encodeMessage({ version: "mls10", wireformat: "mls_group_info", groupInfo });
}

function membersOf(state: ClientState): Member[] {
  const members: Member[] = [];
  for (const [index, node] of state.ratchetTree.entries()) {
    if (node?.nodeType !== "leaf") continue;
    const { credential, signaturePublicKey } = node.leaf;
    members.push({ ...identityOf(credential), leafIndex: index / 2, signaturePublicKey });
  }
  return members;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
