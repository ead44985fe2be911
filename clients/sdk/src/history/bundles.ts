import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { RoomId } from "@sotto/protocol";
import {
  ContentSchema,
  HistoryBundleSchema,
  type RememberedMessage,
  RememberedMessageSchema,
} from "@sotto/protocol/content";
import { ArchivedEntrySchema } from "@sotto/protocol/devices";
import { textOf } from "../bytes.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import { sequenceKey } from "./history-keys.ts";

/** How much of a room's history newcomers are told: the newest messages, up to both bounds. */
export const toldMessagesMax = 50_000;
export const toldBytesMax = 64 * 1024 * 1024;
/** A bundle is opened in memory. */
export const bundleBytesMax = 8 * 1024 * 1024;
/** Bundles that one share names; of more, all are made anew. */
export const bundlesMax = 16;

const pageEntries = 256;
/** A field's tag and length around each message, and the bundle's own. */
const framingBytes = 16;

/**
 * What this device remembers of a room from a sequence on and may pass on: the newest messages within the
 * bounds, in the order of the room, in encoded bundles. A title that is the one before says nothing and stays away.
 */
export async function gatherBundles(
  store: ProfileStore,
  room: RoomId,
  after: number,
  upTo: number,
): Promise<Uint8Array[]> {
  const newestFirst: RememberedMessage[] = [];
  let bytes = 0;
  for await (const message of rememberedBackwards(store, room, after, upTo)) {
    bytes += sizeOf(message);
    if (bytes > toldBytesMax - bundleBytesMax || newestFirst.length >= toldMessagesMax) break;
    newestFirst.push(message);
  }
  return bundled(withoutRepeatedTitles(newestFirst.reverse()));
}

/** True where bundles of these sizes are what a receiver takes. */
export function areBounded(sizes: readonly number[]): boolean {
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const each = sizes.every((size) => size <= bundleBytesMax);
  return sizes.length <= bundlesMax && bytes <= toldBytesMax && each;
}

function sizeOf(message: RememberedMessage): number {
  return toBinary(RememberedMessageSchema, message).length + framingBytes;
}

async function* rememberedBackwards(
  store: ProfileStore,
  room: RoomId,
  after: number,
  upTo: number,
): AsyncGenerator<RememberedMessage, void, undefined> {
  const prefix = sequenceKey(room);
  const end = sequenceKey(room, after);
  for (let before = sequenceKey(room, upTo + 1); ; ) {
    const range = { prefix, after: before, reverse: true, limit: pageEntries };
    const page = await store.scan("history-index", range);
    for (const { key, value } of page) {
      before = key;
      if (key <= end) return;
      const kept = await store.get("remembered", textOf(value));
      if (!kept) continue;
      const { message, passOn } = fromBinary(ArchivedEntrySchema, kept);
      if (message && passOn) yield message;
    }
    if (page.length < pageEntries) return;
  }
}

function withoutRepeatedTitles(messages: readonly RememberedMessage[]): RememberedMessage[] {
  let title: string | undefined;
  return messages.filter(({ content }) => {
    const { body } = fromBinary(ContentSchema, content);
    if (body.case !== "title") return true;
    const again = body.value.title === title;
    title = body.value.title;
    return !again;
  });
}

function bundled(messages: readonly RememberedMessage[]): Uint8Array[] {
  const bundles: Uint8Array[] = [];
  let from = 0;
  let bytes = 0;
  const close = (to: number) => {
    if (to === from) return;
    const bundle = create(HistoryBundleSchema, { version: 1, messages: messages.slice(from, to) });
    bundles.push(toBinary(HistoryBundleSchema, bundle));
    from = to;
    bytes = 0;
  };
  for (const [at, message] of messages.entries()) {
    const size = sizeOf(message);
    if (bytes + size > bundleBytesMax - framingBytes) close(at);
    bytes += size;
  }
  close(messages.length);
  return bundles;
}
