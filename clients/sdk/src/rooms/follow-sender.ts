import { type DeviceId, toHex, toSafeNumber, type UserId } from "@sotto/protocol";
import type { Content } from "@sotto/protocol/content";
import { sha256 } from "../bytes.ts";
import type { History } from "../history/history.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import type { RoomContext } from "./room-context.ts";
import { fillChain, followChain, type Gap, type Link, showLate, withGap } from "./sender-chain.ts";
import type { SenderChains } from "./sender-chains.ts";

/** Who sealed a message. */
export interface Author {
  readonly user: UserId;
  readonly device: DeviceId;
}

/** A content's place in its sender's chain. Throws where its numbers are none. */
export async function linkOf(content: Content, encoded: Uint8Array): Promise<Link> {
  return {
    sequence: toSafeNumber(content.senderSequence),
    sha256: toHex(await sha256(encoded)),
    previousSha256: toHex(content.previousSha256),
    withdrawn: content.withdrawn.map((sequence) => toSafeNumber(sequence)),
  };
}

/** Follows a sender's chain over its next message; what is missing before it becomes a history entry. */
export function followSender(
  { checks, history }: RoomContext,
  chains: SenderChains,
  { user, device }: Author,
  sequence: number,
  link: Link,
): StoreChange[] {
  if (!checks.senderChain) return [];
  const { room } = chains;
  const { chain, missing, changed } = followChain(chains.get(device), link);
  const author = { user, device };
  const changes = changed.flatMap((gap) => retell(history, chains, author, gap));
  if (!missing) return [...changes, ...chains.put(device, chain)];
  const { count } = missing;
  changes.push(
    ...history.changesFor({
      type: "messages-missing",
      room,
      sequence,
      sender: user,
      device,
      count,
    }),
  );
  const gap = { ...missing, order: history.last, noticed: sequence, asked: false };
  return [...changes, ...chains.put(device, withGap(chain, gap))];
}

/** A message of the sender that came late: closes the gap that it left. */
export function fillGap(
  { history }: RoomContext,
  chains: SenderChains,
  author: Author,
  { sequence, withdrawn }: Link,
): StoreChange[] {
  const before = chains.get(author.device);
  if (!before) return [];
  const filled = fillChain(before, [sequence, ...withdrawn]);
  const chain = showLate(filled.chain, sequence);
  const { changed } = filled;
  if (changed.length === 0 && chain === filled.chain) return [];
  return [
    ...changed.flatMap((gap) => retell(history, chains, author, gap)),
    ...chains.put(author.device, chain),
  ];
}

function retell(history: History, chains: SenderChains, { user, device }: Author, gap: Gap) {
  const { order, count, noticed: sequence } = gap;
  const base = { type: "messages-missing" as const, room: chains.room, sequence };
  return history.amend(order, count > 0 ? { ...base, sender: user, device, count } : undefined);
}
