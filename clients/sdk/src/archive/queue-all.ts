import { fromBinary } from "@bufbuild/protobuf";
import { toHex } from "@sotto/protocol";
import { ContentSchema, type RememberedMessage } from "@sotto/protocol/content";
import { ArchivedEntrySchema } from "@sotto/protocol/devices";
import type { History } from "../history/history.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import { queuedAgain } from "./archive-queue.ts";
import { queueAllAnchors } from "./room-anchors.ts";

const pageEntries = 256;

/**
 * Offers everything that this device remembers to the archive again, whose log was replaced. What it still
 * holds is struck when it is read.
 */
export async function queueAll(parts: { store: ProfileStore; history: History }): Promise<void> {
  const { store, history } = parts;
  const rooms = new Set<string>();
  for (let after = ""; ; ) {
    const page = await store.scan("remembered", { after, limit: pageEntries });
    for (const { key, value } of page) {
      after = key;
      const { room, message } = fromBinary(ArchivedEntrySchema, value);
      if (message && !isTitle(message)) rooms.add(toHex(room));
    }
    await store.commit(
      await queuedAgain(
        store,
        page.map(({ key }) => key),
      ),
    );
    if (page.length < pageEntries) break;
  }
  // Who came and went, in the rooms of which an archive is kept: of some only the title is.
  let orders: string[] = [];
  for await (const { type, room, order } of history.read({ follow: false })) {
    if ((type !== "membership" && type !== "policy") || !rooms.has(room)) continue;
    orders.push(order);
    if (orders.length < pageEntries) continue;
    await store.commit(await queuedAgain(store, orders));
    orders = [];
  }
  await store.commit(await queuedAgain(store, orders));
  await queueAllAnchors(store);
}

function isTitle({ content }: RememberedMessage): boolean {
  return fromBinary(ContentSchema, content).body.case === "title";
}
