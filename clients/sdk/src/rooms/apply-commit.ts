import { type CommitExpectation, type Group, MlsError } from "@sotto/mls";
import { type Envelope, EnvelopeKind, ErrorCode, toHex, toSafeNumber } from "@sotto/protocol";
import { serverError } from "../errors.ts";
import type { JudgedStep } from "./handshake-step.ts";
import { judgeAt } from "./judge.ts";
import { loseStep } from "./lose-step.ts";

/** Bad commits in a row that are named by the next one; with more of them the device comes back anew. */
const skippedMax = 500;

/**
 * Applies another device's commit. One that breaks the rules is skipped by everybody alike; whoever finds by
 * the next commit that others skipped something else than it did is the one that went astray.
 */
export async function applyCommit(step: JudgedStep, group: Group): Promise<void> {
  const { context, state, connection, envelope, sequence } = step;
  if (envelope.kind === EnvelopeKind.CREATE) return;
  // What this device staged is not there any more: it cannot follow its own commit.
  if (toHex(envelope.committer?.device ?? new Uint8Array()) === context.profile.device)
    return loseStep(state, "a change of this device was made without it");
  try {
    const commit = await context.parts.fetch(connection, state.room, envelope.commit);
    await group.process(commit, {
      expect: context.checks.commitRules ? expectationOf(envelope) : "anything",
      judge: judgeAt(context, toSafeNumber(envelope.directorySize)),
    });
    state.skipped = [];
  } catch (error) {
    if (!isAboutCommit(error)) throw error;
    const alike = envelope.skipped.map(Number).join() === state.skipped.join();
    const astray = error instanceof MlsError && isAboutState(error);
    if (!alike || astray || state.skipped.length >= skippedMax)
      return loseStep(state, "this device lost step with the room");
    state.skipped = [...state.skipped, sequence];
    context.notice(state.room, "a change that breaks the room's rules was skipped");
  }
}

/** Other failures pass, and say nothing about the commit. */
function isAboutCommit(error: unknown): boolean {
  // Its committer uploads a large one before it sends the record.
  const code = serverError(error)?.code;
  const neverUploaded = code === ErrorCode.UNKNOWN_OBJECT || code === ErrorCode.OBJECT_INCOMPLETE;
  return neverUploaded || error instanceof MlsError;
}

function isAboutState({ code }: MlsError): boolean {
  return code === "FUTURE_EPOCH" || code === "BROKEN_STATE" || code === "REMOVED";
}

function expectationOf(envelope: Envelope): CommitExpectation {
  return {
    kind: commitKind(envelope.kind),
    committer: toHex(envelope.committer?.device ?? new Uint8Array()),
    added: envelope.added.map((leaf) => toHex(leaf.device)),
    removed: envelope.removed.map((leaf) => toHex(leaf.device)),
    ...(envelope.kind === EnvelopeKind.POLICY ? { policy: envelope.policy } : {}),
  };
}

function commitKind(kind: EnvelopeKind): "add" | "remove" | "update" | "policy" | "rejoin" {
  switch (kind) {
    case EnvelopeKind.ADD:
      return "add";
    case EnvelopeKind.REMOVE:
      return "remove";
    case EnvelopeKind.POLICY:
      return "policy";
    case EnvelopeKind.REJOIN:
      return "rejoin";
    default:
      return "update";
  }
}
