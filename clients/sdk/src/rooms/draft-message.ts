import { create, toBinary } from "@bufbuild/protobuf";
import { fromHex, type MessageId, parseMessageId, toHex } from "@sotto/protocol";
import { type Content, ContentSchema } from "@sotto/protocol/content";
import { randomBytes, sha256 } from "../bytes.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import type { OutboxEntry } from "./outbox.ts";
import type { RoomContext } from "./room-context.ts";
import { type RoomState, roomChange } from "./room-state.ts";

/**
 * A message as it goes into the outbox, next in this device's chain. Runs while nothing else touches the
 * room; once the changes are committed, `outbox.remember` takes the entry in.
 */
export async function draftMessage(
  context: RoomContext,
  state: RoomState,
  body: Content["body"],
): Promise<{ entry: OutboxEntry; changes: StoreChange[] }> {
  const { entry, change } = await draftEntry(context, state, body, parseMessageId(randomBytes(16)));
  return { entry, changes: [roomChange(state), change] };
}

/** The same of a message with that id, where the caller commits the room's state besides `change`. */
export async function draftEntry(
  context: RoomContext,
  state: RoomState,
  body: Content["body"],
  id: MessageId,
): Promise<{ entry: OutboxEntry; change: StoreChange }> {
  const { content, sha256 } = await encodeContent(context, state, id, body);
  state.senderSequence++;
  state.previousSha256 = sha256;
  state.withdrawn = [];
  const entry = context.outbox.draft(state.room, id, content);
  return { entry, change: { table: "outbox", key: entry.key, value: content } };
}

/** Encoded Content of a new message, and the hash that the next one refers to. */
async function encodeContent(
  context: RoomContext,
  state: RoomState,
  id: MessageId,
  body: Content["body"],
): Promise<{ content: Uint8Array; sha256: string }> {
  const { directory, trust } = context.directory;
  // Of a directory that is not signed for yet, the root alone.
  const head = trust.head ?? { ...(await directory.head()), signature: new Uint8Array() };
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
      directoryHead: { ...head, size: BigInt(head.size) },
      body,
    }),
  );
  return { content, sha256: toHex(await sha256(content)) };
}
