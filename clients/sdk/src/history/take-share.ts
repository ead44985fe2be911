import { fromBinary } from "@bufbuild/protobuf";
import type { Directory } from "@sotto/identity";
import { type RoomId, toSafeNumber } from "@sotto/protocol";
import {
  HistoryBundleSchema,
  type MediaManifest,
  type RememberedMessage,
} from "@sotto/protocol/content";
import { SottoClientError } from "../errors.ts";
import { openMedia } from "../media/open-media.ts";
import type { RoomReplica } from "../rooms/room-replica.ts";
import { areBounded, toldMessagesMax } from "./bundles.ts";
import type { SaidMessage } from "./said-message.ts";
import { takeInOrder } from "./take-in-order.ts";
import { readMemory, takeMemory } from "./take-memories.ts";
import { coveredBy, type KeptShare } from "./telling.ts";

/** Messages taken in one turn of the room, so that live ones need not wait for all. */
const turnMessages = 256;

/**
 * Takes in what somebody told of a room from before this device came: only what it has not, and only what
 * stands before its own entry. Rejects with ALTERED, TOO_LARGE, or what the server refused.
 */
export async function takeShare(replica: RoomReplica, kept: KeptShare): Promise<void> {
  const { bundles } = kept.share;
  if (!areBounded(bundles.map(({ plainBytes }) => Number(plainBytes))))
    throw new SottoClientError("TOO_LARGE", "more history was told than one device takes");
  const upTo = coveredBy(kept);
  let left = toldMessagesMax;
  // The newest first: where there are too many, the oldest go.
  for (const manifest of bundles.toReversed()) {
    const messages = await readBundle(replica, manifest);
    if (messages.length > left)
      throw new SottoClientError("TOO_LARGE", "more messages were told than one device takes");
    left -= messages.length;
    for (let from = 0; from < messages.length; from += turnMessages) {
      const turn = messages.slice(from, from + turnMessages);
      await replica.exclusive(() => takeTurn(replica, kept, turn, upTo));
    }
  }
}

async function takeTurn(
  replica: RoomReplica,
  { sender: teller }: KeptShare,
  messages: readonly RememberedMessage[],
  upTo: number,
): Promise<void> {
  const { context, room, state } = replica;
  const { history, store, directory } = context;
  const items = messages.flatMap((message) => {
    const said = readMemory(room, message, teller);
    if (!said) return [];
    const { sequence } = said;
    const before = Math.min(upTo + 1, state.telling.entered);
    if (!isCredible(said, directory.directory, before)) return [];
    const take = () => takeMemory(history, store, { said, passOn: true }, true);
    return [{ sequence, take }];
  });
  await takeInOrder(history, store, items);
}

/** True where a message may be what a member remembers from before a sequence: of a device that its sender has. */
export function isCredible(
  { sequence, sender, device }: Pick<SaidMessage, "sequence" | "sender" | "device">,
  directory: Pick<Directory, "device">,
  before: number,
): boolean {
  return sequence < before && directory.device(device)?.user === sender;
}

async function readBundle(
  { context, room }: { context: RoomReplica["context"]; room: RoomId },
  manifest: MediaManifest,
): Promise<readonly RememberedMessage[]> {
  const length = toSafeNumber(manifest.plainBytes);
  const read = await openMedia(context, room, manifest);
  const whole = new Uint8Array(length);
  let at = 0;
  for await (const part of read(0, length, context.signal)) {
    whole.set(part, at);
    at += part.length;
  }
  try {
    const bundle = fromBinary(HistoryBundleSchema, whole);
    if (bundle.version === 1) return bundle.messages;
  } catch {
    // Its maker sealed what cannot be read.
  }
  throw new SottoClientError("ALTERED", "what was told of the room's history cannot be read");
}
