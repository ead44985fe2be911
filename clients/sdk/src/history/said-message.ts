import { create, toBinary } from "@bufbuild/protobuf";
import {
  checkTitle,
  type DeviceId,
  fromHex,
  type MessageId,
  parseObjectId,
  type RoomId,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { type Content, MediaManifestSchema } from "@sotto/protocol/content";
import { ArchivedEntrySchema } from "@sotto/protocol/devices";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { HistoryWord } from "../rooms/policy.ts";
import type { Keeping } from "./history.ts";
import type { HistoryEntry } from "./history-entry.ts";

/** A message that is known to be what its sender sealed, or what somebody told. */
export interface SaidMessage {
  readonly room: RoomId;
  readonly sequence: number;
  readonly sender: UserId;
  readonly device: DeviceId;
  readonly id: MessageId;
  readonly content: Content;
  /** The exact bytes of `content`. */
  readonly encoded: Uint8Array;
  /** Set where this device was not there. */
  readonly toldBy?: UserId;
}

/** What a message is in the history; `undefined` where it is nothing that is shown. */
export function entryOf(said: SaidMessage): HistoryEntry | undefined {
  const { room, sequence, sender, device, id, content, toldBy } = said;
  const told = toldBy ? { toldBy } : {};
  const base = { room, sequence, sender, device, id, at: Number(content.atMs), ...told };
  const { body } = content;
  switch (body.case) {
    case "text":
      return { type: "message", ...base, text: body.value.text };
    case "title": {
      const title = acceptableTitle(body.value.title);
      return title === undefined ? undefined : { type: "title", ...base, title };
    }
    case "media": {
      const { object, name, plainBytes, mime, durationMs } = body.value;
      return {
        type: "media",
        ...base,
        object: parseObjectId(object),
        name,
        bytes: Number(plainBytes),
        mime,
        ...(durationMs ? { durationMs } : {}),
      };
    }
    case "mediaDeleted":
      return { type: "media-deleted", ...base, object: parseObjectId(body.value.object) };
    default:
      // For devices, or a newer client's kind of message: there is nothing that this one could show.
      return undefined;
  }
}

/** A title as a client that keeps the rules would have sent it; `undefined` where none would: it is ignored. */
function acceptableTitle(title: string): string | undefined {
  try {
    return checkTitle(title);
  } catch {
    return undefined;
  }
}

/** What is kept of a message beside its entry, under the policy that is in force where it stands. */
export function keepingOf(said: SaidMessage, policy: HistoryWord): Keeping {
  if (policy === "none") return { archive: false };
  return { message: remembered(said, policy === "all"), archive: true };
}

/** A message as the archive and those who tell it keep it. */
export function remembered(said: SaidMessage, passOn: boolean) {
  const { room, sequence, sender, device, encoded, toldBy } = said;
  return create(ArchivedEntrySchema, {
    room: fromHex(room),
    message: {
      sequence: BigInt(sequence),
      sender: fromHex(sender),
      device: fromHex(device),
      content: encoded,
    },
    passOn,
    ...(toldBy ? { toldBy: fromHex(toldBy) } : {}),
  });
}

/** Who said something of an object, where, and whether it is only told. */
interface Source {
  readonly room: RoomId;
  readonly sender: UserId;
  readonly toldBy?: UserId;
}

/** A deletion is its announcer's own, in the same room; what is only told undoes nothing that was heard. */
export function isDeletionOf(deletion: Source, announced: Source): boolean {
  const { room, sender } = announced;
  const isTold = deletion.toldBy !== undefined && announced.toldBy === undefined;
  return deletion.room === room && deletion.sender === sender && !isTold;
}

/**
 * Changes that make a message's object one that can be opened, or not any more. The first announcement of
 * an object stands: only its sender, in its room, says it anew or deletes it.
 */
export async function mediaChanges(store: ProfileStore, said: SaidMessage): Promise<StoreChange[]> {
  const { room, sequence, sender, content, toldBy } = said;
  const { body } = content;
  if (body.case !== "media" && body.case !== "mediaDeleted") return [];
  const key = parseObjectId(body.value.object);
  const stored = await store.get("media", key);
  const first = stored && (JSON.parse(textOf(stored)) as Source);
  if (body.case === "mediaDeleted")
    return first && isDeletionOf(said, first) ? [{ table: "media", key, value: undefined }] : [];
  if (first && (toldBy || first.room !== room || first.sender !== sender)) return [];
  const kept = {
    room,
    sequence,
    sender,
    at: Number(content.atMs),
    manifest: toHex(toBinary(MediaManifestSchema, body.value)),
    ...(toldBy ? { toldBy } : {}),
  };
  return [{ table: "media", key, value: utf8(JSON.stringify(kept)) }];
}
