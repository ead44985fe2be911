import { fromBinary } from "@bufbuild/protobuf";
import type { Group } from "@sotto/mls";
import {
  type DeviceId,
  type MessageId,
  parseDeviceId,
  parseMessageId,
  readStoredMessage,
  toSafeNumber,
} from "@sotto/protocol";
import { ContentSchema } from "@sotto/protocol/content";
import { entryOf, keepingOf, type SaidMessage } from "../history/said-message.ts";
import { afterShare, shareChange } from "../history/telling.ts";
import { mediaChanges } from "../media/announcements.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import { answerAgain, type CameAgain, openAgain } from "./again.ts";
import { type Author, fillGap, followSender } from "./follow-sender.ts";
import type { Kept, KeptAside } from "./kept-aside.ts";
import { type Opened, openContent } from "./open-content.ts";
import type { OutboxEntry } from "./outbox.ts";
import { parsePolicy } from "./policy.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";
import type { SenderChains } from "./sender-chains.ts";
import type { SentContents } from "./sent-contents.ts";

/** What processing one record asks for. */
export interface StepResult {
  readonly changes: StoreChange[];
  /** An outbox entry that this record settles, at its sequence. */
  readonly settled?: OutboxEntry;
  /** Messages of this device that it calls for: in the outbox once the changes are committed. */
  readonly replies?: readonly OutboxEntry[];
  /** The group's state changed and must be stored. */
  readonly groupChanged: boolean;
}

const nothing: StepResult = { changes: [], groupChanged: false };

/** One record of the messages subject on its way through this device. */
export interface MessageStep {
  readonly context: RoomContext;
  readonly state: RoomState;
  readonly group: Group | undefined;
  readonly chains: SenderChains;
  readonly aside: KeptAside;
  readonly sent: SentContents;
  /** Messages of the same commit, by device and id: the history does not hold them yet. */
  readonly seen: Set<string>;
  readonly sequence: number;
  /** The message came after others that stand behind it. */
  readonly late?: boolean;
}

/** Opens one record of the messages subject and turns it into history. */
export async function stepMessage(step: MessageStep, data: Uint8Array): Promise<StepResult> {
  const { context, state, group } = step;
  const stored = readStored(data);
  if (!stored) {
    context.notices.keep(
      state.room,
      "the server sent a record that is no message; it is passed over",
    );
    return nothing;
  }
  const { device, id, sealed } = stored;
  if (context.checks.messageOnce && (await wasTaken(step, device, id))) return nothing;
  if (device === context.profile.device) return await stepOwn(step, id);
  const opened = await openContent(step, group, device, id, sealed);
  if (typeof opened === "object") {
    if (!context.checks.epochPlace || opened.epoch === group?.epoch)
      return await stepOpened(step, device, id, opened);
    // The server stores nothing under a record that is not the last: a member who was removed would speak on.
    context.notices.keep(
      state.room,
      "a message that was sealed before the room's last change came after it; it is not shown",
    );
    return { changes: [], groupChanged: true };
  }
  if (opened === "replayed") return nothing;
  if (opened === "dishonest") {
    context.notices.keep(state.room, "a message was not what its sender sealed; it is not shown");
    return { changes: [], groupChanged: true };
  }
  // The room is read once more.
  if (step.aside.at(step.sequence)) return nothing;
  return {
    changes: keepAside(step, device, id, opened === "early" ? sealed : undefined),
    groupChanged: false,
  };
}

async function wasTaken({ context, state, seen }: MessageStep, device: DeviceId, id: MessageId) {
  return seen.has(seenKey(device, id)) || (await context.history.holds(state.room, device, id));
}

function seenKey(device: DeviceId, id: MessageId): string {
  return `${device}/${id}`;
}

function readStored(
  data: Uint8Array,
): { device: DeviceId; id: MessageId; sealed: Uint8Array } | undefined {
  try {
    const { device, id, sealed } = readStoredMessage(data);
    return { device: parseDeviceId(device), id: parseMessageId(id), sealed };
  } catch {
    return undefined;
  }
}

async function stepOpened(
  step: MessageStep,
  device: DeviceId,
  id: MessageId,
  { user, content, encoded, link }: Opened,
): Promise<StepResult> {
  const author = { user, device };
  const kept = step.aside.at(step.sequence);
  const changes = kept ? await step.aside.settle(step.context.history, kept) : [];
  changes.push(...followSender(step.context, step.chains, author, step.sequence, link));
  const place = { ...step, late: kept !== undefined };
  const taken = await take(place, author, { id, content, encoded });
  return { changes: [...changes, ...taken.changes], replies: taken.replies, groupChanged: true };
}

/** A message of this device itself: what it sealed is in the outbox. */
async function stepOwn(step: MessageStep, id: MessageId): Promise<StepResult> {
  const { context, state, aside, sent, sequence } = step;
  const entry = context.outbox.find(state.room, id);
  if (!entry)
    return { changes: aside.tell(context.history, sequence).changes, groupChanged: false };
  const content = fromBinary(ContentSchema, entry.content);
  const senderSequence = toSafeNumber(content.senderSequence);
  const { changes } = await take(step, context.profile, { id, content, encoded: entry.content });
  const place = { reading: state.reading, sequence };
  changes.push(...(await sent.keep({ senderSequence, id, place, content: entry.content })));
  changes.push(context.outbox.strike(entry));
  return { changes, settled: entry, groupChanged: false };
}

/** A record that cannot be opened is told of, counted, and remembered to ask for it. */
function keepAside(
  { context, aside, chains, sequence }: MessageStep,
  device: DeviceId,
  id: MessageId,
  early: Uint8Array | undefined,
): StoreChange[] {
  const { run, changes } = aside.tell(context.history, sequence);
  const kept = aside.keep({ sequence, device, id, run }, early);
  if (kept.dropped > 0)
    context.notices.keep(
      aside.room,
      "too many messages cannot be opened; the oldest of them are given up on",
    );
  return [...changes, ...kept.changes, ...chains.unopened(device), context.trouble.count()];
}

/** A message that came before its epoch, which may have begun: opened, it stands where it was said. */
export async function openEarly(step: MessageStep, kept: Kept): Promise<StepResult> {
  const { context, group, aside } = step;
  if (!group || aside.at(kept.sequence) !== kept) return nothing;
  const sealed = await aside.sealed(context.store, kept);
  const opened = sealed && (await openContent(step, group, kept.device, kept.id, sealed));
  if (typeof opened !== "object") return nothing;
  const author = { user: opened.user, device: kept.device };
  return { ...(await takeLate(step, author, { ...opened, ...kept, kept })), groupChanged: true };
}

/** A message, with its encoded Content byte for byte. */
type Said = Pick<SaidMessage, "id" | "content" | "encoded">;

interface Taken {
  readonly changes: StoreChange[];
  readonly replies: OutboxEntry[];
}

/** A message that came after all: it stands where it was said. */
async function takeLate(step: MessageStep, author: Author, came: CameAgain): Promise<Taken> {
  const { context, chains, aside } = step;
  const changes = came.kept ? await aside.settle(context.history, came.kept) : [];
  changes.push(...fillGap(context, chains, author, came.link));
  const late = { ...step, sequence: came.sequence, late: true };
  const taken = await take(late, author, came);
  return { changes: [...changes, ...taken.changes], replies: taken.replies };
}

/** What a message of `author` says, done and remembered. */
async function take(step: MessageStep, author: Author, said: Said): Promise<Taken> {
  const changes = await remember(step, author, said);
  const { body, directoryHead } = said.content;
  const { context, state } = step;
  if (author.device === context.profile.device) return { changes, replies: [] };
  if (context.checks.headGossip) context.heads.hear(directoryHead, { ...author, room: state.room });
  if (body.case === "askAgain") {
    const answer = await answerAgain(step, author, body.value);
    return { changes: [...changes, ...answer.changes], replies: answer.replies };
  }
  const came = body.case === "again" ? await openAgain(step, author, body.value) : undefined;
  if (!came) return { changes, replies: [] };
  const late = await takeLate(step, author, came);
  return { changes: [...changes, ...late.changes], replies: late.replies };
}

/** Somebody told newcomers what was said before: kept for whoever lacks it, and to go on from. */
function shareChanges(state: RoomState, { room, sequence, sender, content }: SaidMessage) {
  const { body } = content;
  if (body.case !== "historyShare") return [];
  state.telling = afterShare(state.telling, sequence, body.value);
  return [shareChange(room, { sender, sequence, share: body.value })];
}

/** The changes by which a message becomes history, and is known when it comes again. */
async function remember(
  { context, state, group, aside, seen, sequence, late }: MessageStep,
  { user: sender, device }: Author,
  { id, content, encoded }: Said,
): Promise<StoreChange[]> {
  const { room } = state;
  seen.add(seenKey(device, id));
  const said: SaidMessage = { room, sequence, sender, device, id, content, encoded };
  const entry = entryOf(said);
  if (entry?.type === "title" && !(late && state.title)) {
    state.title = entry.title;
    state.titleOwed = 0;
  }
  if (entry && !late) aside.endRun();
  const { history } = context;
  if (!entry) return [history.passed(room, device, id), ...shareChanges(state, said)];
  // What came late was said before the policy of now, where that has changed since.
  const changed = late && sequence < state.telling.policyFrom;
  const policy = group && !changed ? parsePolicy(group.policy).history : "none";
  const keeping = keepingOf(said, policy);
  const shown = late ? await history.placed(entry, keeping) : history.changesFor(entry, keeping);
  // The entry's own index says that it came.
  return [...shown, ...(await mediaChanges(context.store, said))];
}
