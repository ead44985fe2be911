import {
  type CiphersuiteImpl,
  type ClientState,
  makePskIndex,
  type ProposalWithSender,
  type PublicMessage,
  processPublicMessage,
} from "ts-mls";
import { identityOf, type Judge } from "./leaf-identity.ts";
import { guarded, MlsError } from "./mls-error.ts";
import { policyExtension } from "./safe-config.ts";
import { decodeMessage, mlsBytesMax } from "./wire.ts";

/** What a commit's signed envelope says that it does. Device ids are hex. */
export interface CommitExpectation {
  readonly kind: "add" | "remove" | "update" | "policy" | "rejoin";
  readonly committer: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Of kind policy: the whole policy that the room has from then on. */
  readonly policy?: Uint8Array;
}

type Commit = Extract<PublicMessage["content"], { contentType: "commit" }>["commit"];

/**
 * Applies a commit to `state` where it does exactly what was expected: one kind of change, by that
 * committer, of those devices, every new leaf certified. "anything" is for tests that show what that is for.
 * Rejects with `MlsError`.
 */
export async function processCommit(
  state: ClientState,
  bytes: Uint8Array,
  expect: CommitExpectation | "anything",
  judge: Judge,
  cs: CiphersuiteImpl,
  psks: Readonly<Record<string, Uint8Array>> = {},
): Promise<{ newState: ClientState; consumed: readonly Uint8Array[] }> {
  const publicMessage = decodePublic(bytes);
  const { content } = publicMessage;
  if (content.contentType !== "commit") throw new MlsError("BAD_COMMIT", "not a commit");
  checkEpoch(state, content.epoch);
  if (expect !== "anything") {
    checkPath(content.commit, expect, judge);
    checkSender(state, publicMessage, expect);
  }
  let refused: MlsError | undefined;
  const result = await guarded("BAD_COMMIT", () =>
    processPublicMessage(state, publicMessage, makePskIndex(state, { ...psks }), cs, (incoming) => {
      if (incoming.kind !== "commit") return "reject";
      try {
        if (expect !== "anything") checkProposals(state, incoming.proposals, expect, judge);
        return "accept";
      } catch (error) {
        refused =
          error instanceof MlsError
            ? error
            : new MlsError("BAD_COMMIT", "a malformed proposal", { cause: error });
        return "reject";
      }
    }),
  );
  if (refused) throw refused;
  if (result.actionTaken === "reject") throw new MlsError("BAD_COMMIT", "the commit was refused");
  return { newState: result.newState, consumed: result.consumed };
}

/** The state with a proposal kept in it, for the commit that names it. Rejects with `MlsError`. */
export async function processProposal(
  state: ClientState,
  bytes: Uint8Array,
  cs: CiphersuiteImpl,
): Promise<ClientState> {
  const message = decodePublic(bytes);
  if (message.content.contentType !== "proposal")
    throw new MlsError("BAD_COMMIT", "not a proposal");
  checkEpoch(state, message.content.epoch);
  const { newState } = await guarded("BAD_COMMIT", () =>
    processPublicMessage(state, message, makePskIndex(state, {}), cs),
  );
  return newState;
}

function checkEpoch({ groupContext }: ClientState, epoch: bigint): void {
  if (epoch < groupContext.epoch)
    throw new MlsError("WRONG_EPOCH", "a commit of an epoch that is over");
  if (epoch > groupContext.epoch)
    throw new MlsError("FUTURE_EPOCH", "a commit of an epoch that has not begun here");
}

function decodePublic(bytes: Uint8Array): PublicMessage {
  try {
    return decodeMessage(bytes, "mls_public_message", mlsBytesMax.handshake).publicMessage;
  } catch (cause) {
    throw new MlsError("BAD_COMMIT", "a commit that cannot be read", { cause });
  }
}

/** A commit that removes or updates without new keys would let a removed member read on. */
function checkPath(commit: Commit, { kind, committer }: CommitExpectation, judge: Judge): void {
  if (!commit.path) {
    if (kind !== "add" && kind !== "policy")
      throw new MlsError("BAD_COMMIT", `a commit of kind ${kind} without new keys`);
    return;
  }
  const { credential, signaturePublicKey } = commit.path.leafNode;
  const identity = identityOf(credential);
  if (identity.device !== committer || !judge(identity, signaturePublicKey)) {
    throw new MlsError("BAD_COMMIT", "the commit's own leaf is not its committer's certified one");
  }
}

function checkSender(
  state: ClientState,
  message: PublicMessage,
  { kind, committer }: CommitExpectation,
): void {
  const { sender } = message.content;
  if (kind === "rejoin") {
    if (sender.senderType !== "new_member_commit")
      throw new MlsError("BAD_COMMIT", "a rejoin is an external commit");
    return;
  }
  if (sender.senderType !== "member")
    throw new MlsError("BAD_COMMIT", "only a rejoin is an external commit");
  const node = state.ratchetTree[2 * sender.leafIndex];
  if (node?.nodeType !== "leaf" || identityOf(node.leaf.credential).device !== committer) {
    throw new MlsError("BAD_COMMIT", "the commit is by another member than its envelope");
  }
}

function checkProposals(
  state: ClientState,
  proposals: readonly ProposalWithSender[],
  expect: CommitExpectation,
  judge: Judge,
): void {
  const added: string[] = [];
  const removed: string[] = [];
  const kinds = new Set<string>();
  for (const { proposal } of proposals) {
    kinds.add(String(proposal.proposalType));
    if (proposal.proposalType === "add") {
      const { credential, signaturePublicKey } = proposal.add.keyPackage.leafNode;
      const identity = identityOf(credential);
      if (!judge(identity, signaturePublicKey))
        throw new MlsError("BAD_COMMIT", "it adds a device that is not certified");
      added.push(identity.device);
    }
    if (proposal.proposalType === "remove") {
      const node = state.ratchetTree[2 * proposal.remove.removed];
      if (node?.nodeType !== "leaf") throw new MlsError("BAD_COMMIT", "it removes nobody");
      removed.push(identityOf(node.leaf.credential).device);
    }
  }
  const { kind } = expect;
  if (kind === "rejoin") {
    checkRejoin(kinds, removed, expect.committer);
    return;
  }
  const allowed = { add: "add", remove: "remove", policy: "group_context_extensions", update: "" }[
    kind
  ];
  const only = kind === "update" ? kinds.size === 0 : kinds.size === 1 && kinds.has(allowed);
  if (!only || (kind === "policy" && proposals.length !== 1)) {
    throw new MlsError("BAD_COMMIT", "it makes another kind of change than its envelope says");
  }
  if (
    kind === "policy" &&
    !proposals.every(({ proposal }) => setsPolicy(proposal, expect.policy))
  ) {
    throw new MlsError("BAD_COMMIT", "it sets another policy than its envelope says");
  }
  if (!sameSet(added, expect.added) || !sameSet(removed, expect.removed)) {
    throw new MlsError("BAD_COMMIT", "it changes other devices than its envelope says");
  }
}

/** The room's policy, as expected, and no other extension. */
function setsPolicy(
  proposal: ProposalWithSender["proposal"],
  expected: Uint8Array | undefined,
): boolean {
  if (proposal.proposalType !== "group_context_extensions") return false;
  const [extension, another] = proposal.groupContextExtensions.extensions;
  return (
    another === undefined &&
    extension?.extensionType === policyExtension &&
    expected !== undefined &&
    extension.extensionData.length === expected.length &&
    extension.extensionData.every((byte, i) => byte === expected[i])
  );
}

/** An external commit may only bring its own device (back) in. */
function checkRejoin(
  kinds: ReadonlySet<string>,
  removed: readonly string[],
  committer: string,
): void {
  const strange = [...kinds].some((kind) => kind !== "external_init" && kind !== "remove");
  if (strange || removed.some((device) => device !== committer)) {
    throw new MlsError("BAD_COMMIT", "a rejoin that changes something else");
  }
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && new Set([...a, ...b]).size === a.length;
}
