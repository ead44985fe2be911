import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Group } from "@sotto/mls";
import {
  type DeviceId,
  fromHex,
  type MessageId,
  parseDeviceId,
  parseMessageId,
  parseObjectId,
  type RoomId,
  StoredMessageSchema,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { type Content, ContentSchema, MediaManifestSchema } from "@sotto/protocol/content";
import { equalBytes, sha256 } from "../bytes.ts";
import type { HistoryEntry } from "../history/history-entry.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import type { OutboxEntry } from "./outbox.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";

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

/** Opens one record of the messages subject and turns it into history. */
export async function stepMessage(
  context: RoomContext,
  state: RoomState,
  group: Group | undefined,
  sequence: number,
  data: Uint8Array,
): Promise<StepResult> {
  const stored = fromBinary(StoredMessageSchema, data);
  const device = parseDeviceId(stored.device);
  const id = parseMessageId(stored.id);
  if (context.checks.messageOnce && (await context.history.holds(state.room, device, id)))
    return nothing;

  if (device === context.profile.device) {
    const entry = context.outbox.find(state.room, id);
    if (!entry) return unavailable(context, state, sequence);
    const content = fromBinary(ContentSchema, entry.content);
    const result = await entryOf(
      context,
      state,
      sequence,
      context.profile.user,
      device,
      id,
      content,
    );
    return {
      changes: [...result, context.outbox.strike(entry)],
      settled: entry,
      groupChanged: false,
    };
  }
  const opened = group && (await open(context, state, group, device, id, stored.sealed));
  if (!opened) return unavailable(context, state, sequence);
  const changes = await entryOf(context, state, sequence, opened.user, device, id, opened.content);
  return { changes, groupChanged: true };
}

async function open(
  context: RoomContext,
  state: RoomState,
  group: Group,
  device: DeviceId,
  id: MessageId,
  sealed: Uint8Array,
): Promise<{ user: UserId; content: Content } | undefined> {
  try {
    const message = await group.open(sealed);
    const content = fromBinary(ContentSchema, message.plaintext);
    const honest =
      message.sender.device === device &&
      equalBytes(message.aad, messageAad(state.room, id)) &&
      toHex(content.room) === state.room &&
      toHex(content.id) === id;
    if (context.checks.contentPlace && !honest) {
      context.notice(state.room, "a message was not what its sender sealed; it is not shown");
      return undefined;
    }
    return { user: message.sender.user as UserId, content };
  } catch {
    return undefined;
  }
}

async function entryOf(
  context: RoomContext,
  state: RoomState,
  sequence: number,
  sender: UserId,
  device: DeviceId,
  id: MessageId,
  content: Content,
): Promise<StoreChange[]> {
  const at = Number(content.atMs);
  const base = { room: state.room, sequence, sender, at };
  const { body } = content;
  switch (body.case) {
    case "text":
      return context.history.changesFor({
        type: "message",
        ...base,
        device,
        id,
        text: body.value.text,
      });
    case "title": {
      state.title = body.value.title;
      return context.history.changesFor({ type: "title", ...base, title: body.value.title });
    }
    case "media": {
      const manifest = body.value;
      const object = parseObjectId(manifest.object);
      const entry: HistoryEntry = {
        type: "media",
        ...base,
        device,
        id,
        object,
        name: manifest.name,
        bytes: Number(manifest.plainBytes),
        mime: manifest.mime,
        ...(manifest.durationMs ? { durationMs: manifest.durationMs } : {}),
      };
      const kept = {
        room: state.room,
        sequence,
        sender,
        at,
        manifest: toHex(toBinary(MediaManifestSchema, manifest)),
      };
      return [
        ...context.history.changesFor(entry),
        { table: "media", key: object, value: new TextEncoder().encode(JSON.stringify(kept)) },
      ];
    }
    case "mediaDeleted": {
      const object = parseObjectId(body.value.object);
      return [
        ...context.history.changesFor({ type: "media-deleted", ...base, object }),
        { table: "media", key: object, value: undefined },
      ];
    }
    default:
      // A newer client's kind of message: there is nothing that this one could show.
      return [];
  }
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
      directoryHead: { size: BigInt(directory.size), root: await directory.root() },
      body,
    }),
  );
  return { content, sha256: toHex(await sha256(content)) };
}
