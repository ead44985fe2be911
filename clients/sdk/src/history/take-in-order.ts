import { withStruckRuns } from "../archive/archive-queue.ts";
import { isOfObject } from "../media/announcements.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { History } from "./history.ts";

/** Something that stands at a place of a room, and how it becomes history. */
export interface Placed {
  readonly sequence: number;
  take(): Promise<StoreChange[]>;
}

/** Takes what is of one room in the room's order, in as few commits as it can. The caller holds the room. */
export async function takeInOrder(
  history: History,
  store: ProfileStore,
  items: readonly Placed[],
): Promise<void> {
  let changes: StoreChange[] = [];
  let last: number | undefined;
  const settle = async () => {
    await store.commit(await withStruckRuns(store, changes));
    history.announce(changes);
    changes = [];
  };
  for (const { sequence, take } of items.toSorted((a, b) => a.sequence - b.sequence)) {
    // The same one twice must be seen to be there.
    if (sequence === last) await settle();
    last = sequence;
    const taken = await take();
    changes.push(...taken);
    // What follows may be of the same object, and must see whose it is.
    if (taken.some(isOfObject)) await settle();
  }
  await settle();
}
