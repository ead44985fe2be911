import { usersOf } from "@sotto/identity";
import { type CommitExpectation, type Group, MlsError } from "@sotto/mls";
import { type Envelope, EnvelopeKind, ErrorCode, toHex, toSafeNumber } from "@sotto/protocol";
import { serverError } from "../errors.ts";
import type { JudgedStep } from "./handshake-step.ts";
import { judgeAt } from "./judge.ts";
import { loseStep } from "./lose-step.ts";
import type { RoomState } from "./room-state.ts";

/** Bad commits in a row that are named by the next one; with more of them the device comes back anew. */
const skippedMax = 500;
/** So many people must contradict a device before it believes that it is the one who went astray. */
const contradictedByMax = 2;

/**
 * Applies another device's commit. One that breaks the rules is skipped by everybody alike. One that does not
 * apply here and says that others skipped something else contradicts this device: where two people do, or all
 * of the others, it is the one who went astray. A single member cannot lead anybody away so.
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
    state.contradictedBy = [];
  } catch (error) {
    if (!isAboutCommit(error)) throw error;
    if (contradicts(state, envelope, error)) {
      const user = toHex(envelope.committer?.user ?? new Uint8Array());
      state.contradictedBy = [...new Set([...state.contradictedBy, user])];
    }
    if (isAstray(step, error)) return loseStep(state, "this device lost step with the room");
    state.skipped = [...state.skipped, sequence];
    context.notices.keep(state.room, "a change that breaks the room's rules was skipped");
  }
}

/** True where its committer has another group than this device, or skipped other records. */
function contradicts(state: RoomState, envelope: Envelope, error: unknown): boolean {
  const elsewhere =
    error instanceof MlsError && (error.code === "FUTURE_EPOCH" || error.code === "WRONG_EPOCH");
  return elsewhere || envelope.skipped.map(Number).join() !== state.skipped.join();
}

function isAstray({ context, state }: JudgedStep, error: unknown): boolean {
  if (error instanceof MlsError && (error.code === "BROKEN_STATE" || error.code === "REMOVED"))
    return true;
  const people = state.roster ? usersOf(state.roster) : new Set();
  const others = people.size - (people.has(context.profile.user) ? 1 : 0);
  const enough = Math.min(contradictedByMax, Math.max(1, others));
  return state.contradictedBy.length >= enough || state.skipped.length >= skippedMax;
}

/** Other failures pass, and say nothing about the commit. */
function isAboutCommit(error: unknown): boolean {
  // Its committer uploads a large one before it sends the record.
  const code = serverError(error)?.code;
  const neverUploaded = code === ErrorCode.UNKNOWN_OBJECT || code === ErrorCode.OBJECT_INCOMPLETE;
  return neverUploaded || error instanceof MlsError;
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
