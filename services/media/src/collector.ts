import type { BlobStore } from "@sotto/blobs";
import { IdError, parseObjectId, parseRoomId } from "@sotto/protocol";
import type { MediaLimits } from "./media-limits.ts";
import { keys, type ObjectRef } from "./object-keys.ts";
import type { ObjectStore } from "./object-store.ts";

/** What the store holds of one object. */
interface Seen {
  readonly ref: ObjectRef;
  record: boolean;
  complete: boolean;
  /** Marks of earlier collections: unfinished with so many pieces since then. */
  readonly idle: { readonly pieces: number; readonly sinceMs: number }[];
}

export interface Collected {
  /** Uploads that nobody went on with. */
  readonly abandoned: number;
  /** Objects whose record was gone, but not all of the rest. */
  readonly leftovers: number;
}

/**
 * Removes what nobody will finish: uploads without progress for `abandonedAfterMs`, and what a
 * deletion that was cut short left behind. How long an upload has stood still is written into the
 * store itself, so that restarts and other replicas do not make it young again.
 */
export class Collector {
  readonly #blobs: BlobStore;
  readonly #store: ObjectStore;
  readonly #limits: MediaLimits;

  constructor(blobs: BlobStore, store: ObjectStore, limits: MediaLimits) {
    this.#blobs = blobs;
    this.#store = store;
    this.#limits = limits;
  }

  /** `discard` deletes an object while nothing else happens to it. */
  async collect(
    nowMs: number,
    discard: (ref: ObjectRef, still: () => Promise<boolean>) => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<Collected> {
    let abandoned = 0;
    let leftovers = 0;
    for (const seen of (await this.#look(signal)).values()) {
      if (signal.aborted) break;
      if (seen.record && !seen.complete && (await this.#isAbandoned(seen, nowMs))) {
        if (await discard(seen.ref, () => this.#isAbandoned(seen, nowMs))) abandoned++;
      } else if (!seen.record) {
        // The record may have been put while the store was listed.
        const still = async () => (await this.#store.find(seen.ref)) === undefined;
        if ((await still()) && (await discard(seen.ref, still))) leftovers++;
      }
    }
    return { abandoned, leftovers };
  }

  async #look(signal: AbortSignal): Promise<Map<string, Seen>> {
    const objects = new Map<string, Seen>();
    for await (const { key } of this.#blobs.list(keys.rooms)) {
      if (signal.aborted) break;
      const [, room = "", place, object = "", mark = ""] = key.split("/");
      const name = `${room}/${object}`;
      const ref = objects.get(name)?.ref ?? readRef(room, object);
      if (!ref || (!objects.has(name) && objects.size >= this.#limits.collectObjectsMax)) continue;
      const seen = objects.get(name) ?? { ref, record: false, complete: false, idle: [] };
      objects.set(name, seen);
      if (place === "files" || place === "parts") seen.record = true;
      else if (place === "complete") seen.complete = true;
      else if (place === "idle") {
        const [pieces, sinceMs] = mark.split("-").map(Number);
        seen.idle.push({ pieces: pieces ?? 0, sinceMs: sinceMs ?? 0 });
      }
    }
    return objects;
  }

  /** Leaves a mark where the upload has moved since the last one. */
  async #isAbandoned({ ref, idle }: Seen, nowMs: number): Promise<boolean> {
    const record = await this.#store.find(ref);
    if (!record) return false;
    const pieces = await this.#store.piecesDurable(record);
    if (pieces * this.#limits.pieceBytes >= record.sealedBytes) {
      await this.#store.markComplete(ref);
      return false;
    }
    const marks = idle.filter((mark) => mark.pieces === pieces).map((mark) => mark.sinceMs);
    if (marks.length > 0) return nowMs - Math.min(...marks) >= this.#limits.abandonedAfterMs;
    await this.#blobs.deleteAll(keys.idleAll(ref));
    await this.#blobs.put(keys.idle(ref, pieces, nowMs), new Uint8Array());
    return false;
  }
}

/** Undefined for keys that are none of ours. */
function readRef(room: string, object: string): ObjectRef | undefined {
  try {
    return { room: parseRoomId(room), object: parseObjectId(object) };
  } catch (error) {
    if (error instanceof IdError) return undefined;
    throw error;
  }
}
