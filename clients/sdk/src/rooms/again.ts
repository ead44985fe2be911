import { fromBinary } from "@bufbuild/protobuf";
import { openSealed, sealOverheadBytes, sealTo } from "@sotto/mls";
import {
  type DeviceId,
  fromHex,
  limits,
  type MessageId,
  parseDeviceId,
  parseMessageId,
  type RoomId,
  toHex,
  toSafeNumber,
} from "@sotto/protocol";
import {
  type Again,
  type AskAgain,
  type Content,
  ContentSchema,
  type MissedMessage,
} from "@sotto/protocol/content";
import type { StoreChange } from "../ports/profile-store.ts";
import { draftMessage } from "./draft-message.ts";
import { type Author, linkOf } from "./follow-sender.ts";
import type { Kept } from "./kept-aside.ts";
import type { MessageStep } from "./message-step.ts";
import type { OutboxEntry } from "./outbox.ts";
import { parsePolicy } from "./policy.ts";
import { isUpTo, type LogPlace } from "./room-state.ts";
import type { Link } from "./sender-chain.ts";
import type { SentContent } from "./sent-contents.ts";

/** Messages that one AskAgain may name; more are passed over. */
export const missedMax = 64;
/** What stands around a content that is sealed again, in its own message and in the group's. */
const aroundBytes = 4096;

/** What a sealed answer is good for: this message, of that device, for this one. */
function purposeOf(room: RoomId, of: SentName, from: DeviceId, to: DeviceId): string {
  return ["again", room, of.id, of.senderSequence, from, to].join(" ");
}

type SentName = Pick<SentContent, "id" | "senderSequence">;

/**
 * Answers what another device asks for again: messages of this device, sealed to the asker, each once, and
 * only what it might have read. The answers are changes of the same commit that takes the question in.
 */
export async function answerAgain(
  step: MessageStep,
  asker: Author,
  { missed }: AskAgain,
): Promise<{ changes: StoreChange[]; replies: OutboxEntry[] }> {
  const changes: StoreChange[] = [];
  const replies: OutboxEntry[] = [];
  const own = fromHex(step.context.profile.device).join();
  for (const message of missed.slice(0, missedMax)) {
    if (message.device.join() !== own) continue;
    const sent = await find(step, message);
    if (!sent || !mayHave(step, asker, sent.place)) continue;
    const again = await sealAgain(step, asker, sent);
    const noted = again && (await step.sent.answer(sent, asker.device));
    if (!noted) continue;
    const draft = await draftMessage(step.context, step.state, { case: "again", value: again });
    changes.push(noted, ...draft.changes);
    replies.push(draft.entry);
  }
  return { changes, replies };
}

async function find(
  { sent }: MessageStep,
  { id, senderSequence }: MissedMessage,
): Promise<SentContent | undefined> {
  try {
    if (id.length > 0) return await sent.named(parseMessageId(id));
    return await sent.numbered(toSafeNumber(senderSequence));
  } catch {
    return undefined;
  }
}

/** By the room's policy: all of it, what was said since the user is here, or since the device is. */
function mayHave({ context, state, group }: MessageStep, asker: Author, said: LogPlace): boolean {
  if (!state.roster?.devices.has(asker.device) || asker.device === context.profile.device)
    return false;
  if (!context.checks.sayAgain) return true;
  const { history } = parsePolicy(group?.policy ?? new Uint8Array());
  if (history === "all") return true;
  const since = state.since[history === "none" ? asker.device : asker.user];
  return since !== undefined && isUpTo(since, said);
}

async function sealAgain(
  { context, state }: MessageStep,
  asker: Author,
  sent: SentContent,
): Promise<Again | undefined> {
  const { directory } = context.directory;
  const device = directory.device(asker.device);
  if (!device || device.revokedAt !== undefined) return undefined;
  if (sent.content.length + sealOverheadBytes + aroundBytes > limits.messageBytesMax)
    return undefined;
  const purpose = purposeOf(state.room, sent, context.profile.device, asker.device);
  return {
    $typeName: "sotto.v1.Again",
    device: fromHex(asker.device),
    id: fromHex(sent.id),
    sequence: BigInt(sent.place.sequence),
    senderSequence: BigInt(sent.senderSequence),
    sealed: await sealTo(device.keys.seal, purpose, sent.content),
  };
}

/** A message that came again. */
export interface CameAgain {
  /** The record that could not be opened, where it is known which it was. */
  readonly kept: Kept | undefined;
  readonly sequence: number;
  readonly id: MessageId;
  readonly content: Content;
  readonly encoded: Uint8Array;
  readonly link: Link;
}

/**
 * Opens what the device of `author` says again. `undefined` unless it is for this device, which lacks that
 * message of that very device, and it is what it says to be.
 */
export async function openAgain(
  step: MessageStep,
  author: Author,
  again: Again,
): Promise<CameAgain | undefined> {
  const { context, state, aside, chains } = step;
  try {
    if (parseDeviceId(again.device) !== context.profile.device) return undefined;
    const id = parseMessageId(again.id);
    const senderSequence = toSafeNumber(again.senderSequence);
    const kept = aside.find(author.device, id);
    const gaps = chains.get(author.device)?.gaps ?? [];
    if (!kept && !gaps.some(({ missing }) => missing.includes(senderSequence))) return undefined;
    if (await context.history.holds(state.room, author.device, id)) return undefined;
    const name = { id, senderSequence };
    const purpose = purposeOf(state.room, name, author.device, context.profile.device);
    const { seal } = context.profile.secrets;
    const bytes = await openSealed({ privateKey: seal }, purpose, again.sealed);
    const content = fromBinary(ContentSchema, bytes);
    const link = await linkOf(content, bytes);
    const place = kept?.sequence ?? toSafeNumber(again.sequence);
    const honest =
      toHex(content.id) === id &&
      toHex(content.room) === state.room &&
      link.sequence === senderSequence &&
      toSafeNumber(again.sequence) === place &&
      place > 0 &&
      place < step.sequence;
    if (!honest) return undefined;
    return { kept, sequence: place, id, content, encoded: bytes, link };
  } catch {
    return undefined;
  }
}
