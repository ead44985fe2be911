import { fromBinary } from "@bufbuild/protobuf";
import { type Group, MlsError, type OpenedMessage } from "@sotto/mls";
import {
  type DeviceId,
  fromHex,
  type MessageId,
  type RoomId,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { type Content, ContentSchema } from "@sotto/protocol/content";
import { equalBytes } from "../bytes.ts";
import { linkOf } from "./follow-sender.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";
import type { Link } from "./sender-chain.ts";

/** Additional data of a sealed message: ties it to its room and id. */
export function messageAad(room: RoomId, id: MessageId): Uint8Array<ArrayBuffer> {
  return fromHex(room + id);
}

/** A message that is what its sender sealed for this place. */
export interface Opened {
  readonly user: UserId;
  readonly content: Content;
  /** The content byte for byte as it was sealed. */
  readonly encoded: Uint8Array;
  readonly link: Link;
  /** The epoch in which it was sealed. */
  readonly epoch: number;
}

/**
 * Opens a message of a group. Otherwise: "closed" where it cannot be opened, "early" where its epoch has not
 * begun here, "replayed" where it was opened before, "dishonest" where it opens and is not what stands around it.
 */
export async function openContent(
  { context, state }: { readonly context: RoomContext; readonly state: RoomState },
  group: Group | undefined,
  device: DeviceId,
  id: MessageId,
  sealed: Uint8Array,
): Promise<Opened | "closed" | "early" | "replayed" | "dishonest"> {
  let message: OpenedMessage;
  try {
    if (!group) return "closed";
    message = await group.open(sealed);
  } catch (error) {
    const code = error instanceof MlsError ? error.code : undefined;
    if (code === "REPLAYED") return "replayed";
    return code === "FUTURE_EPOCH" ? "early" : "closed";
  }
  try {
    const content = fromBinary(ContentSchema, message.plaintext);
    const honest =
      message.sender.device === device &&
      equalBytes(message.aad, messageAad(state.room, id)) &&
      toHex(content.room) === state.room &&
      toHex(content.id) === id;
    if (!honest && context.checks.contentPlace) return "dishonest";
    const link = await linkOf(content, message.plaintext);
    const encoded = message.plaintext;
    return { user: message.sender.user as UserId, content, encoded, link, epoch: message.epoch };
  } catch {
    return "dishonest";
  }
}
