import { directRoomId, foldRoster, passOver, type Roster } from "@sotto/identity";
import { type CommitExpectation, type Group, MlsError } from "@sotto/mls";
import {
  type DeviceId,
  type Envelope,
  EnvelopeKind,
  type Leaf,
  parseDeviceId,
  parseUserId,
  toHex,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { isConnectionLoss, SottoClientError } from "../errors.ts";
import type { HistoryEntry } from "../history/history-entry.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import { judgeAt } from "./judge.ts";
import { judgeRecord } from "./judge-record.ts";
import type { StepResult } from "./message-step.ts";
import { type HistoryWord, parsePolicy } from "./policy.ts";
import type { RoomContext } from "./room-context.ts";
import { type RoomState, sinceOf } from "./room-state.ts";
import type { SenderChains } from "./sender-chains.ts";

/** One record of the handshake subject on its way through this device. */
export interface HandshakeStep {
  readonly context: RoomContext;
  readonly state: RoomState;
  readonly group: Group | undefined;
  readonly chains: SenderChains;
  readonly connection: Connection;
  readonly sequence: number;
}

interface Step extends HandshakeStep {
  readonly recordSha256: string;
  readonly envelope: Envelope;
}

export interface HandshakeResult {
  readonly result: StepResult;
  readonly group: Group | undefined;
  /** `undefined` where the record was passed over. */
  readonly envelope: Envelope | undefined;
}

/**
 * Processes one handshake record: joins, merges an own commit, applies another's, or leaves. A record that no
 * member may have made is passed over: everybody who has the room's records and the directory judges alike.
 */
export async function stepHandshake(
  taken: HandshakeStep,
  data: Uint8Array,
): Promise<HandshakeResult> {
  const { context } = taken;
  const recordSha256 = toHex(await sha256(data));
  const judged = await judgeRecord(taken, data);
  if (judged.breach) return passedOver({ ...taken, recordSha256, ...judged });
  const step: Step = { ...taken, recordSha256, envelope: judged.envelope };
  const before = taken.group && parsePolicy(taken.group.policy).history;
  const group = await nextGroup(step);
  foldIn(step, group);
  const entry = historyEntry(step) ?? policyEntry(step, before, group);
  const policy = group ? parsePolicy(group.policy).history : before;
  const archive = policy !== undefined && policy !== "none";
  const changes = entry ? context.history.changesFor(entry, { archive }) : [];
  changes.push(...chainChanges(step));
  return { result: { changes, groupChanged: true }, group, envelope: step.envelope };
}

/** Senders that went, and such as may count anew. */
function chainChanges({ chains, envelope }: Step): StoreChange[] {
  const changes = envelope.removed.flatMap(({ device }) => chains.forget(parseDeviceId(device)));
  for (const { device } of envelope.added) {
    const entering = parseDeviceId(device);
    const back = envelope.kind === EnvelopeKind.REJOIN;
    changes.push(...(back ? chains.mayRestart(entering) : chains.forget(entering)));
  }
  return changes;
}

/** Nobody comes or goes by it, and a commit of this device that was on its way has lost its place. */
function passedOver(
  step: Omit<Step, "envelope"> & {
    readonly envelope: Envelope | undefined;
    readonly breach: Error;
  },
): HandshakeResult {
  const { context, state, group, sequence, envelope, breach, recordSha256: sha256 } = step;
  context.notice(
    state.room,
    `a change of this room that breaks its rules was not followed: ${breach.message}`,
  );
  state.pending = undefined;
  if (state.roster && state.roster.foldedTo < sequence) {
    const next = envelope && { sha256, epoch: toSafeNumber(envelope.epoch) };
    state.roster = passOver(state.roster, sequence, next);
    state.skipped = [...state.skipped, sequence];
  }
  return { result: { changes: [], groupChanged: false }, group, envelope: undefined };
}

async function nextGroup(step: Step): Promise<Group | undefined> {
  const { context, state, group, envelope, recordSha256 } = step;
  const own = context.profile.device;
  const pending = state.pending;
  state.pending = undefined;
  if (pending?.sha256 === recordSha256) {
    state.phase = "active";
    if (pending.begins || !group) return await context.mls.restore(pending.staged);
    await group.confirm(pending.staged);
    return group;
  }
  if (envelope.removed.some((leaf) => parseDeviceId(leaf.device) === own)) {
    state.phase = "left";
    return undefined;
  }
  const enters =
    envelope.kind === EnvelopeKind.ADD &&
    envelope.added.some((leaf) => parseDeviceId(leaf.device) === own);
  if (enters) return await enter(step);
  if (!group || state.phase !== "active") return group;
  return await apply(step, group);
}

/** Joins by the Welcome of the record that lets this device in. */
async function enter(step: Step): Promise<Group | undefined> {
  const { context, state, connection, envelope } = step;
  try {
    const [welcome, tree] = await Promise.all([
      context.parts.fetch(connection, state.room, envelope.welcome),
      context.parts.fetch(connection, state.room, envelope.tree),
    ]);
    const group = await context.keyPackages.join(
      welcome,
      tree,
      judgeAt(context, toSafeNumber(envelope.directorySize)),
    );
    if (toHex(group.room) !== state.room)
      throw new SottoClientError("ALTERED", "the invitation is for another room");
    state.phase = "active";
    state.roster = await rosterOnEntry(step, group);
    state.since = sinceOf(state.roster, {});
    return group;
  } catch (error) {
    if (isConnectionLoss(error)) throw error;
    context.notice(
      state.room,
      "the invitation into this room could not be opened; coming back in by another way",
    );
    state.phase = "lost";
    return undefined;
  }
}

/** Who is in the room, by the group itself: the server's word is not needed. */
async function rosterOnEntry(step: Step, group: Group): Promise<Roster> {
  const { context, state, envelope, sequence, recordSha256 } = step;
  const policy = parsePolicy(group.policy);
  const users = [...new Set(group.members().map((member) => member.user as UserId))];
  const others = users.filter((user) => user !== context.profile.user);
  const peer = others[0];
  const direct =
    state.room.length === 64 &&
    peer &&
    (await directRoomId(context.profile.user, peer)) === state.room
      ? [context.profile.user, peer].sort()
      : [];
  return {
    room: state.room,
    foldedTo: sequence,
    headHash: recordSha256,
    epoch: toSafeNumber(envelope.epoch),
    directorySize: toSafeNumber(envelope.directorySize),
    devices: new Map(
      group
        .members()
        .map((member) => [
          member.device as DeviceId,
          { user: member.user as UserId, device: member.device as DeviceId, entered: sequence },
        ]),
    ),
    admins: policy.admins,
    former: [],
    direct,
  };
}

/** Applies another device's commit. A record that breaks the rules is skipped by everybody alike. */
async function apply(step: Step, group: Group): Promise<Group> {
  const { context, state, connection, envelope, sequence } = step;
  if (envelope.kind === EnvelopeKind.CREATE) return group;
  try {
    const commit = await context.parts.fetch(connection, state.room, envelope.commit);
    await group.process(commit, {
      expect: context.checks.commitRules ? expectationOf(envelope) : "anything",
      judge: judgeAt(context, toSafeNumber(envelope.directorySize)),
    });
    state.skipped = [];
    return group;
  } catch (error) {
    if (!(error instanceof MlsError)) throw error;
    if (error.code === "BAD_COMMIT") {
      state.skipped = [...state.skipped, sequence];
      context.notice(state.room, "a commit that breaks the room's rules was skipped");
    } else {
      state.phase = "lost";
      context.notice(state.room, "this device lost step with the room; coming back in");
    }
    return group;
  }
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

function foldIn(step: Step, group: Group | undefined): void {
  const { state, envelope, sequence, recordSha256 } = step;
  if (state.roster && state.roster.foldedTo >= sequence) return;
  const begins = envelope.kind === EnvelopeKind.CREATE;
  if (!state.roster && !begins) return;
  state.roster = foldRoster(begins ? undefined : state.roster, envelope, sequence, recordSha256);
  state.since = sinceOf(state.roster, state.since);
  if (group && state.reserved && state.reserved.epoch !== group.epoch) state.reserved = undefined;
}

function historyEntry(step: Step): HistoryEntry | undefined {
  const { state, envelope, sequence } = step;
  const by = parseUserId(envelope.committer?.user ?? new Uint8Array());
  const base = { type: "membership" as const, room: state.room, sequence, by };
  switch (envelope.kind) {
    case EnvelopeKind.CREATE:
      return { ...base, change: "created", users: [by] };
    case EnvelopeKind.ADD:
      return { ...base, change: "added", users: usersOf(envelope.added) };
    case EnvelopeKind.REMOVE:
      return { ...base, change: "removed", users: usersOf(envelope.removed) };
    case EnvelopeKind.REJOIN:
      return { ...base, change: "rejoined", users: usersOf(envelope.added) };
    default:
      return undefined;
  }
}

/** A line for everybody where the room's policy on history has changed. */
function policyEntry(
  { state, envelope, sequence }: Step,
  before: HistoryWord | undefined,
  group: Group | undefined,
): HistoryEntry | undefined {
  if (envelope.kind !== EnvelopeKind.POLICY || !group) return undefined;
  const { history } = parsePolicy(group.policy);
  if (history === before) return undefined;
  const by = parseUserId(envelope.committer?.user ?? new Uint8Array());
  return { type: "policy", room: state.room, sequence, history, by };
}

function usersOf(leaves: readonly Leaf[]): UserId[] {
  return [...new Set(leaves.map((leaf) => parseUserId(leaf.user)))];
}
