import { foldRoster, leaves, passOver, provenDisabled, type Roster } from "@sotto/identity";
import { type Group, MlsError } from "@sotto/mls";
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
import { anchorDue } from "../archive/room-anchors.ts";
import { sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { isConnectionLoss, SottoClientError } from "../errors.ts";
import type { HistoryEntry } from "../history/history-entry.ts";
import { afterHandshake } from "../history/telling.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import { applyCommit } from "./apply-commit.ts";
import { checkDirectPeople } from "./direct-people.ts";
import { judgeAt } from "./judge.ts";
import { judgeRecord } from "./judge-record.ts";
import { rosterBeforeEntry } from "./known-by-others.ts";
import { loseStep } from "./lose-step.ts";
import type { StepResult } from "./message-step.ts";
import { lookForMissing } from "./missing-records.ts";
import { ownAnchorChanges } from "./own-anchor.ts";
import { type HistoryWord, parsePolicy } from "./policy.ts";
import { rejoinsMax } from "./rejoin-limit.ts";
import { follows } from "./room-chain.ts";
import type { RoomContext } from "./room-context.ts";
import { type PendingRecord, type RoomState, sinceOf } from "./room-state.ts";
import { rosterOnEntry } from "./roster-on-entry.ts";
import type { SenderChains } from "./sender-chains.ts";

/** Policies that a group may have where its members skipped changes of it. */
const policiesMax = 4;

/** One record of the handshake subject on its way through this device. */
export interface HandshakeStep {
  readonly context: RoomContext;
  readonly state: RoomState;
  readonly group: Group | undefined;
  readonly chains: SenderChains;
  readonly connection: Connection;
  readonly sequence: number;
  /** What is missing before this record was looked for. */
  readonly readAgain: boolean;
}

/** A handshake record that follows the room's rules. */
export interface JudgedStep extends HandshakeStep {
  readonly recordSha256: string;
  readonly envelope: Envelope;
  /** What has to be stored together with the group. */
  readonly withGroup: StoreChange[];
}

export interface HandshakeResult {
  readonly result: StepResult;
  readonly group: Group | undefined;
}

/**
 * Processes one handshake record: joins, merges an own commit, applies another's, or leaves. A record that no
 * member may have made is passed over: everybody who has the room's records and the directory judges alike.
 */
export async function stepHandshake(
  taken: HandshakeStep,
  data: Uint8Array,
): Promise<HandshakeResult> {
  const { context, state } = taken;
  // A room that is read anew: what this device has followed is behind it.
  if (taken.group && state.phase === "active" && (state.roster?.foldedTo ?? 0) >= taken.sequence)
    return { result: { changes: [], groupChanged: false }, group: taken.group };
  const recordSha256 = toHex(await sha256(data));
  const judged = await judgeRecord(taken, data);
  if (judged.breach) {
    const { sequence } = taken;
    const { envelope } = judged;
    if (envelope && context.checks.recordsBefore)
      await lookForMissing(taken, { sequence, data, sha256: recordSha256, envelope });
    else if (envelope && state.roster && !follows(state.roster, envelope))
      return believed(taken, state.roster, envelope, recordSha256);
    return passedOver({ ...taken, recordSha256, ...judged });
  }
  const step: JudgedStep = { ...taken, recordSha256, envelope: judged.envelope, withGroup: [] };
  const before = taken.group && parsePolicy(taken.group.policy).history;
  const inside = state.roster?.devices;
  const group = await nextGroup(step, data);
  state.followed = undefined;
  foldIn(step, group);
  noteGroup(step, group);
  const entry = (await historyEntry(step)) ?? policyEntry(step, before, group);
  const policy = group ? parsePolicy(group.policy).history : before;
  state.telling = afterHandshake(state.telling, {
    sequence: step.sequence,
    added: step.envelope.kind === EnvelopeKind.ADD ? leaves(step.envelope.added) : [],
    roster: state.roster,
    own: context.profile,
    policyChanged: policy !== before,
  });
  const archive = policy !== undefined && policy !== "none";
  const changes = entry ? context.history.changesFor(entry, { archive }) : [];
  changes.push(...chainChanges(step, inside), ...anchorDue(state), ...step.withGroup);
  const comesIn = leaves(step.envelope.added).some(
    ({ device }) => device === context.profile.device,
  );
  if (comesIn && state.phase === "active") changes.push(...ownAnchorChanges(state));
  return { result: { changes, groupChanged: true }, group };
}

/** Senders that went, and such as begin to count, or may count anew. `inside`: who was in the room, where that is known. */
function chainChanges(
  { context, chains, envelope }: JudgedStep,
  inside: Roster["devices"] | undefined,
): StoreChange[] {
  const own = context.profile.device;
  const added = envelope.added.map(({ device }) => parseDeviceId(device));
  const comesIn = envelope.kind !== EnvelopeKind.REJOIN;
  const changes = envelope.removed.flatMap(({ device }) => chains.forget(parseDeviceId(device)));
  // What was said while this device was out it cannot have: nobody's chain goes on from before.
  if (added.includes(own) && (comesIn || !inside?.has(own))) changes.push(...chains.forgetAll());
  for (const device of added.filter((device) => device !== own)) {
    const begins = comesIn || inside?.has(device) === false;
    changes.push(...(begins ? chains.begin(device) : chains.mayRestart(device)));
  }
  return changes;
}

interface BreachedStep extends Omit<JudgedStep, "envelope" | "withGroup"> {
  readonly envelope: Envelope | undefined;
  readonly breach: Error;
}

/** Nobody comes or goes by it, and a commit of this device that was on its way has lost its place. */
function passedOver(step: BreachedStep): HandshakeResult {
  const { context, state, group, sequence, envelope, breach, recordSha256: sha256 } = step;
  if (sequence > state.toldTo)
    context.notices.keep(
      state.room,
      `a change of this room that breaks its rules was not followed: ${breach.message}`,
    );
  state.toldTo = Math.max(state.toldTo, sequence);
  state.pending = undefined;
  state.given = [];
  if (state.roster && state.roster.foldedTo < sequence) {
    const next = envelope && { sha256, epoch: Number(envelope.epoch) };
    state.followed ??= state.roster;
    state.roster = passOver(state.roster, sequence, next);
    state.skipped = [...state.skipped, sequence];
  }
  return { result: { changes: [], groupChanged: false }, group };
}

/** Where nobody checks what a record says of those before it: this device comes back by it. */
function believed(
  { state, group, sequence: foldedTo }: HandshakeStep,
  roster: Roster,
  { epoch }: Envelope,
  headHash: string,
): HandshakeResult {
  state.roster = { ...roster, foldedTo, headHash, epoch: Number(epoch) };
  loseStep(state, "the server did not give this device all that changed in this room");
  return { result: { changes: [], groupChanged: false }, group };
}

async function nextGroup(step: JudgedStep, data: Uint8Array): Promise<Group | undefined> {
  const { context, state, group, envelope, recordSha256 } = step;
  const own = context.profile.device;
  const candidates = [...(state.pending ? [state.pending] : []), ...state.given];
  state.pending = undefined;
  state.given = [];
  const won = candidates.find((pending) => pending.sha256 === recordSha256);
  if (won) return await mergeOwn(step, won);
  if (envelope.removed.some((leaf) => parseDeviceId(leaf.device) === own)) {
    state.phase = "left";
    return undefined;
  }
  const enters =
    envelope.kind === EnvelopeKind.ADD &&
    envelope.added.some((leaf) => parseDeviceId(leaf.device) === own);
  if (enters) return await enter(step, data);
  const comes = envelope.kind === EnvelopeKind.CREATE || envelope.kind === EnvelopeKind.REJOIN;
  if (comes && parseDeviceId(envelope.committer?.device ?? new Uint8Array()) === own)
    loseStep(state, "this device lost what it keeps of the room");
  if (!group || state.phase !== "active") return group;
  await applyCommit(step, group);
  return group;
}

/** A commit of this device that has won. */
async function mergeOwn(step: JudgedStep, won: PendingRecord): Promise<Group | undefined> {
  const { context, state, group, envelope, sequence } = step;
  try {
    const next = won.begins || !group ? await context.mls.restore(won.staged) : group;
    if (next === group) await group.confirm(won.staged);
    if (envelope.kind === EnvelopeKind.REJOIN) {
      state.roster = await rosterOnEntry(step, next, state.roster);
      state.since = sinceOf(state.roster, state.since, state.reading);
    }
    state.phase = "active";
    state.skipped = [];
    state.contradictedBy = [];
    if (envelope.kind === EnvelopeKind.REJOIN)
      state.rejoins = [...state.rejoins, context.clock.now()].slice(-rejoinsMax);
    state.owedTree = toHex(envelope.tree?.sha256 ?? new Uint8Array());
    if (envelope.kind !== EnvelopeKind.ADD && envelope.kind !== EnvelopeKind.POLICY)
      state.renewed = { at: context.clock.now(), sent: state.senderSequence };
    return next;
  } catch (error) {
    if (!(error instanceof MlsError)) throw error;
    loseStep(state, `what this device staged cannot be used (record ${sequence})`);
    return group;
  }
}

/** Joins by the Welcome of the record that lets this device in. */
async function enter(step: JudgedStep, data: Uint8Array): Promise<Group | undefined> {
  const { context, state, connection, envelope, sequence, recordSha256 } = step;
  try {
    const entry = { sequence, data, sha256: recordSha256, envelope };
    const before = await rosterBeforeEntry(context, connection, state, entry);
    const [welcome, tree] = await Promise.all([
      context.parts.fetch(connection, state.room, envelope.welcome),
      context.parts.fetch(connection, state.room, envelope.tree),
    ]);
    const { group, spent } = await context.keyPackages.join(
      welcome,
      tree,
      judgeAt(context, toSafeNumber(envelope.directorySize)),
    );
    if (toHex(group.room) !== state.room)
      throw new SottoClientError("ALTERED", "the invitation is for another room");
    const by = parseUserId(envelope.committer?.user ?? new Uint8Array());
    const users = group.members().map(({ user }) => user as UserId);
    await checkDirectPeople(context, state.room, [by, ...users]);
    state.phase = "active";
    state.skipped = [];
    state.contradictedBy = [];
    state.roster = await rosterOnEntry(step, group, before ?? state.roster);
    if (!before) state.enteredAtSize = toSafeNumber(envelope.directorySize);
    state.since = sinceOf(state.roster, {}, state.reading);
    state.renewed = { at: context.clock.now(), sent: state.senderSequence };
    step.withGroup.push(spent);
    return group;
  } catch (error) {
    if (isConnectionLoss(error)) throw error;
    const shown = error instanceof SottoClientError && error.code === "SERVER_MISBEHAVED";
    loseStep(state, shown ? error.message : "the invitation into this room could not be opened");
    return undefined;
  }
}

/** What the group must be like when this device has to come back into it. */
function noteGroup({ state, envelope }: JudgedStep, group: Group | undefined): void {
  const follows = group && state.phase === "active" ? group : undefined;
  const set = envelope.kind === EnvelopeKind.POLICY ? [toHex(envelope.policy)] : [];
  const policies = [...(follows ? [toHex(follows.policy)] : state.policies), ...set];
  state.policies = [...new Set(policies)].slice(-policiesMax);
  if (!follows) return;
  state.epochSeen = follows.epoch;
  state.unremoved = follows
    .members()
    .map(({ device }) => device)
    .filter((device) => !state.roster?.devices.has(device as DeviceId));
}

function foldIn(step: JudgedStep, group: Group | undefined): void {
  const { state, envelope, sequence, recordSha256 } = step;
  if (state.roster && state.roster.foldedTo >= sequence) return;
  const comer = parseDeviceId(envelope.committer?.device ?? new Uint8Array());
  const isNew = state.roster && !state.roster.devices.has(comer);
  if (envelope.kind === EnvelopeKind.REJOIN && isNew) state.titleOwed = sequence;
  // Who only reads of a beginning does not know whose it is.
  const begins = envelope.kind === EnvelopeKind.CREATE && comer === step.context.profile.device;
  if (!state.roster && !begins) return;
  state.roster = foldRoster(begins ? undefined : state.roster, envelope, sequence, recordSha256);
  state.since = sinceOf(state.roster, state.since, state.reading);
  if (group && state.reserved && state.reserved.epoch !== group.epoch) state.reserved = undefined;
}

async function historyEntry(step: JudgedStep): Promise<HistoryEntry | undefined> {
  const { context, state, envelope, sequence } = step;
  const by = parseUserId(envelope.committer?.user ?? new Uint8Array());
  const base = { type: "membership" as const, room: state.room, sequence, by };
  switch (envelope.kind) {
    case EnvelopeKind.CREATE:
      return { ...base, change: "created", users: [by] };
    case EnvelopeKind.ADD:
      return {
        ...base,
        change: "added",
        users: usersOf(envelope.added),
        ...devicesOf(step, envelope.added),
      };
    case EnvelopeKind.REMOVE: {
      const users = usersOf(envelope.removed);
      const proven = await provenDisabled(envelope, context.profile.serverKeySha256);
      const disabled = users.filter((user) => proven.has(user));
      return {
        ...base,
        change: "removed",
        users,
        ...devicesOf(step, envelope.removed),
        ...(disabled.length > 0 && { disabled }),
      };
    }
    case EnvelopeKind.REJOIN:
      return { ...base, change: "rejoined", users: usersOf(envelope.added) };
    default:
      return undefined;
  }
}

/** A line for everybody where the room's policy on history has changed. */
function policyEntry(
  { state, envelope, sequence }: JudgedStep,
  before: HistoryWord | undefined,
  group: Group | undefined,
): HistoryEntry | undefined {
  if (envelope.kind !== EnvelopeKind.POLICY || !group) return undefined;
  const { history } = parsePolicy(group.policy);
  if (history === before) return undefined;
  const by = parseUserId(envelope.committer?.user ?? new Uint8Array());
  return { type: "policy", room: state.room, sequence, history, by };
}

/** Who is in the room with another device too, which neither came nor went with this record. */
function devicesOf({ state }: JudgedStep, moved: readonly Leaf[]): { devicesOf?: UserId[] } {
  if (!state.roster) return {};
  const those = new Set(leaves(moved).map(({ device }) => device));
  const others = [...state.roster.devices.values()].filter(({ device }) => !those.has(device));
  const staying = new Set(others.map(({ user }) => user));
  const users = usersOf(moved).filter((user) => staying.has(user));
  return users.length > 0 ? { devicesOf: users } : {};
}

function usersOf(leaves: readonly Leaf[]): UserId[] {
  return [...new Set(leaves.map((leaf) => parseUserId(leaf.user)))];
}
