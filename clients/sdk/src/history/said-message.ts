import {
  checkTitle,
  type DeviceId,
  encodeArchivedMessage,
  fromHex,
  type MessageId,
  parseObjectId,
  type RoomId,
  type UserId,
} from "@sotto/protocol";
import type { Content } from "@sotto/protocol/content";
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
  // What a room is called a later device must know, to know which room it is; the members tell it anyway.
  if (policy === "none" && said.content.body.case !== "title") return { archive: false };
  return { message: remembered(said, policy === "all"), archive: true };
}

/** A message as the archive and those who tell it keep it: an encoded ArchivedEntry. */
export function remembered(said: SaidMessage, passOn: boolean): Uint8Array {
  const { room, sequence, sender, device, encoded, toldBy } = said;
  return encodeArchivedMessage({
    room: fromHex(room),
    sequence: BigInt(sequence),
    sender: fromHex(sender),
    device: fromHex(device),
    content: encoded,
    passOn,
    ...(toldBy ? { toldBy: fromHex(toldBy) } : {}),
  });
}
