import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Group, OpenedMessage } from "@sotto/mls";
import {
  type DeviceId,
  fromHex,
  type MessageId,
  parseDeviceId,
  parseMessageId,
  type RoomId,
  StoredMessageSchema,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { type Content, ContentSchema } from "@sotto/protocol/content";
import { equalBytes, sha256 } from "../bytes.ts";
import type { HistoryEntry } from "../history/history-entry.ts";
import { entryOf, keepingOf, mediaChanges, type SaidMessage } from "../history/said-message.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import { followSender, linkOf } from "./follow-sender.ts";
import type { OutboxEntry } from "./outbox.ts";
import { parsePolicy } from "./policy.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";
import type { Link } from "./sender-chain.ts";
import type { SenderChains } from "./sender-chains.ts";

/** What processing one record asks for. */
export interface StepResult {
  readonly changes: StoreChange[];
  /** An outbox entry that this record settles, at its sequence. */
  readonly settled?: OutboxEntry;
  /** The group's state changed and must be stored. */
  readonly groupChanged: boolean;
}

const nothing: StepResult = { changes: [], groupChanged: false };

/** Additional data of a sealed message: ties it to its room and id. */
export function messageAad(room: RoomId, id: MessageId): Uint8Array<ArrayBuffer> {
  return fromHex(room + id);
}

/** One record of the messages subject on its way through this device. */
export interface MessageStep {
  readonly context: RoomContext;
  readonly state: RoomState;
  readonly group: Group | undefined;
  readonly chains: SenderChains;
  readonly sequence: number;
}

/** Opens one record of the messages subject and turns it into history. */
export async function stepMessage(step: MessageStep, data: Uint8Array): Promise<StepResult> {
  const { context, state, group, sequence } = step;
  const stored = fromBinary(StoredMessageSchema, data);
  const device = parseDeviceId(stored.device);
  const id = parseMessageId(stored.id);
  if (context.checks.messageOnce && (await context.history.holds(state.room, device, id)))
    return nothing;
  if (device === context.profile.device) return await stepOwn(step, id);
  const opened = group && (await open(context, state, group, device, id, stored.sealed));
  if (!opened) {
    const result = unavailable(context, state, sequence);
    return { ...result, changes: [...result.changes, ...step.chains.unopened(device)] };
  }
  if (opened === "dishonest") return { changes: [], groupChanged: true };
  const { user, content, encoded, link } = opened;
  const changes = followSender(context, step.chains, { user, device }, sequence, link);
  changes.push(...remember(step, user, device, id, content, encoded));
  return { changes, groupChanged: true };
}

/** A message of this device itself: what it sealed is in the outbox. */
async function stepOwn(step: MessageStep, id: MessageId): Promise<StepResult> {
  const { context, state, sequence } = step;
  const { user, device } = context.profile;
  const entry = context.outbox.find(state.room, id);
  if (!entry) return unavailable(context, state, sequence);
  const content = fromBinary(ContentSchema, entry.content);
  const changes = remember(step, user, device, id, content, entry.content);
  changes.push(context.outbox.strike(entry));
  return { changes, settled: entry, groupChanged: false };
}

/** The changes by which a message becomes history, and is known when it comes again. */
function remember(
  { context, state, group, sequence }: MessageStep,
  sender: UserId,
  device: DeviceId,
  id: MessageId,
  content: Content,
  encoded: Uint8Array,
): StoreChange[] {
  const { room } = state;
  const said: SaidMessage = { room, sequence, sender, device, id, content, encoded };
  const entry = entryOf(said);
  if (entry?.type === "title") state.title = entry.title;
  const policy = group ? parsePolicy(group.policy).history : "none";
  return [
    context.history.passed(room, device, id),
    ...(entry ? context.history.changesFor(entry, keepingOf(said, policy)) : []),
    ...mediaChanges(said),
  ];
}

interface Opened {
  readonly user: UserId;
  readonly content: Content;
  readonly encoded: Uint8Array;
  readonly link: Link;
}

/** `undefined` where the group cannot open it; "dishonest" where it is not what stands around it. */
async function open(
  context: RoomContext,
  state: RoomState,
  group: Group,
  device: DeviceId,
  id: MessageId,
  sealed: Uint8Array,
): Promise<Opened | "dishonest" | undefined> {
  let message: OpenedMessage;
  try {
    message = await group.open(sealed);
  } catch {
    return undefined;
  }
  try {
    const content = fromBinary(ContentSchema, message.plaintext);
    const honest =
      message.sender.device === device &&
      equalBytes(message.aad, messageAad(state.room, id)) &&
      toHex(content.room) === state.room &&
      toHex(content.id) === id;
    if (honest || !context.checks.contentPlace) {
      const link = await linkOf(content, message.plaintext);
      const encoded = message.plaintext;
      return { user: message.sender.user as UserId, content, encoded, link };
    }
  } catch {
    // Its sender sealed what cannot be read.
  }
  context.notice(state.room, "a message was not what its sender sealed; it is not shown");
  return "dishonest";
}

function unavailable(context: RoomContext, state: RoomState, sequence: number): StepResult {
  const entry: HistoryEntry = {
    type: "history-unavailable",
    room: state.room,
    sequence,
    why: "cannot-open",
  };
  return { changes: context.history.changesFor(entry), groupChanged: false };
}

/** Encoded Content of a new message, and the hash that the next one refers to. */
export async function encodeContent(
  context: RoomContext,
  state: RoomState,
  id: MessageId,
  body: Content["body"],
): Promise<{ content: Uint8Array; sha256: string }> {
  const directory = context.directory.directory;
  const content = toBinary(
    ContentSchema,
    create(ContentSchema, {
      version: 1,
      id: fromHex(id),
      room: fromHex(state.room),
      atMs: BigInt(context.clock.now()),
      senderSequence: BigInt(state.senderSequence + 1),
      previousSha256: fromHex(state.previousSha256),
      withdrawn: state.withdrawn.map(BigInt),
      directoryHead: { size: BigInt(directory.size), root: await directory.root() },
      body,
    }),
  );
  return { content, sha256: toHex(await sha256(content)) };
}
