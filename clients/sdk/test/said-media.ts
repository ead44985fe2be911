import { create, toBinary } from "@bufbuild/protobuf";
import {
  fromHex,
  parseDeviceId,
  parseMessageId,
  parseObjectId,
  parseRoomId,
  parseUserId,
} from "@sotto/protocol";
import { type Content, ContentSchema, MediaManifestSchema } from "@sotto/protocol/content";
import type { SaidMessage } from "../src/history/said-message.ts";
import { announcementKey, parseAnnouncement } from "../src/media/announcements.ts";
import type { ProfileStore } from "../src/ports/profile-store.ts";

export const room = parseRoomId("aa".repeat(16));
export const elsewhere = parseRoomId("bb".repeat(16));
export const alice = parseUserId("01".repeat(16));
export const mallory = parseUserId("02".repeat(16));
export const object = parseObjectId("0c".repeat(16));

let count = 0;

function said(body: Content["body"], by: Partial<SaidMessage>): SaidMessage {
  const sequence = by.sequence ?? ++count;
  const id = parseMessageId((++count).toString(16).padStart(32, "0"));
  const at = by.room ?? room;
  const content = create(ContentSchema, { version: 1, id: fromHex(id), room: fromHex(at), body });
  const encoded = toBinary(ContentSchema, content);
  const device = parseDeviceId("03".repeat(16));
  return { room, sequence, sender: alice, device, id, content, encoded, ...by };
}

/** A message by which somebody, alice in `room` where nothing else is said, announces `object` under a name. */
export function announced(name: string, by: Partial<SaidMessage> = {}): SaidMessage {
  const value = create(MediaManifestSchema, { object: fromHex(object), name });
  return said({ case: "media", value }, by);
}

/** A message by which somebody deletes `object`. */
export function deleted(by: Partial<SaidMessage> = {}): SaidMessage {
  const value = { $typeName: "sotto.v1.MediaDeleted", object: fromHex(object) } as const;
  return said({ case: "mediaDeleted", value }, by);
}

/** Under which name `object` can be opened in a room; `undefined` where it cannot. */
export async function openable(store: ProfileStore, at = room): Promise<string | undefined> {
  const key = announcementKey(object, at);
  const value = await store.get("media", key);
  return value && parseAnnouncement(key, value).manifest.name;
}
