import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { fromHex, toHex, toSafeNumber } from "@sotto/protocol";
import { ContentSchema } from "@sotto/protocol/content";
import { sha256 } from "../bytes.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import type { Outbox, OutboxEntry } from "./outbox.ts";
import { type RoomState, roomChange } from "./room-state.ts";

/** Sequences that wait to be told as taken back; of more the oldest are not told. */
const withdrawnMax = 1000;

/**
 * Takes a message out of the outbox that surely does not stand in the room: what follows it there and was
 * never sealed moves up in the sender's chain. Where something of that was sealed already, the gap stays,
 * and the next message tells of it. Answers the changes to store, and what to do once they are.
 */
export async function takeBack(
  outbox: Outbox,
  state: RoomState,
  entry: OutboxEntry,
  wasSealed: (entry: OutboxEntry) => boolean,
): Promise<{ changes: StoreChange[]; done: () => void }> {
  const all = outbox.of(entry.room);
  const following = all.slice(all.indexOf(entry) + 1);
  const movable = following.filter((candidate) => !wasSealed(candidate));
  const taken = fromBinary(ContentSchema, entry.content);
  const leavesGap = wasSealed(entry) || movable.length < following.length;
  const told = new Set([...taken.withdrawn.map((sequence) => toSafeNumber(sequence))]);
  let previous = toHex(taken.previousSha256);
  let sequence = toSafeNumber(taken.senderSequence) - 1;
  if (leavesGap) {
    told.add(sequence + 1);
    const before = following.filter(wasSealed).at(-1) ?? entry;
    previous = toHex(await sha256(before.content));
    sequence = toSafeNumber(fromBinary(ContentSchema, before.content).senderSequence);
  }
  const changes: StoreChange[] = [outbox.strike(entry)];
  const moved: { entry: OutboxEntry; content: Uint8Array }[] = [];
  for (const next of movable) {
    const content = fromBinary(ContentSchema, next.content);
    content.senderSequence = BigInt(++sequence);
    content.previousSha256 = fromHex(previous);
    content.withdrawn = merged(told, content.withdrawn);
    told.clear();
    const bytes = toBinary(ContentSchema, content);
    previous = toHex(await sha256(bytes));
    moved.push({ entry: next, content: bytes });
    changes.push(outbox.rewrite(next, bytes));
  }
  state.senderSequence = sequence;
  state.previousSha256 = previous;
  state.withdrawn = merged(told, state.withdrawn.map(BigInt)).map(Number);
  changes.push(roomChange(state));
  return {
    changes,
    done: () => {
      outbox.forget(entry);
      for (const { entry: old, content } of moved) outbox.rewritten(old, content);
    },
  };
}

function merged(told: ReadonlySet<number>, others: readonly bigint[]): bigint[] {
  return [...new Set([...[...told].map(BigInt), ...others])].slice(-withdrawnMax);
}
