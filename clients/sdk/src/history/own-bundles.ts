import {
  ErrorCode,
  fromHex,
  type ObjectId,
  parseObjectId,
  type RoomId,
  toHex,
} from "@sotto/protocol";
import type { MediaManifest } from "@sotto/protocol/content";
import { textOf, utf8 } from "../bytes.ts";
import { serverError } from "../errors.ts";
import type { RoomContext } from "../rooms/room-context.ts";

/** Somebody may be reading a bundle when the share comes that does without it. */
const graceMs = 10 * 60_000;
const onlineTimeoutMs = 30_000;

type BundlesContext = Pick<RoomContext, "store" | "clock" | "online" | "signal">;

/** The bundles that this device made for a room, until they are deleted at the server. */
export class OwnBundles {
  readonly #context: BundlesContext;
  readonly #room: RoomId;

  constructor(context: BundlesContext, room: RoomId) {
    this.#context = context;
    this.#room = room;
  }

  /** Remembers a bundle that lies at the server from now on. */
  async add({ object }: MediaManifest): Promise<void> {
    const at = this.#context.clock.now();
    await this.#context.store.commit([this.#row(parseObjectId(object), at)]);
  }

  /**
   * Deletes what no share needs any more: neither named by `standing` nor made a moment ago. Resolves with the time, ms,
   * after which there is more to delete; `undefined`: nothing. Rejects as the server does.
   */
  async clean(standing: readonly MediaManifest[]): Promise<number | undefined> {
    const { store, clock } = this.#context;
    const named = new Set(standing.map(({ object }) => toHex(object)));
    const prefix = this.#prefix;
    const rows = await store.scan("history-shares", { prefix, limit: 1000 });
    let waitMs: number | undefined;
    for (const { key, value } of rows) {
      const object = parseObjectId(fromHex(key.slice(prefix.length)));
      if (named.has(object)) continue;
      const ageMs = clock.now() - Number(JSON.parse(textOf(value)).at);
      if (ageMs >= graceMs) await this.#delete(object);
      else waitMs = Math.min(waitMs ?? graceMs, graceMs - Math.max(0, ageMs));
    }
    return waitMs;
  }

  async #delete(object: ObjectId): Promise<void> {
    const { online, signal, store } = this.#context;
    const connection = await online(onlineTimeoutMs, signal);
    const value = { room: fromHex(this.#room), object: fromHex(object) };
    await connection.request({ case: "deleteObject", value }, "done").catch((error) => {
      // Gone already.
      if (serverError(error)?.code !== ErrorCode.UNKNOWN_OBJECT) throw error;
    });
    await store.commit([this.#row(object, undefined)]);
  }

  get #prefix(): string {
    return `${this.#room}!own/`;
  }

  #row(object: ObjectId, at: number | undefined) {
    const value = at === undefined ? undefined : utf8(JSON.stringify({ version: 1, at }));
    return { table: "history-shares", key: `${this.#prefix}${object}`, value } as const;
  }
}

/** True where the server still has every one of these bundles: their makers can delete them. */
export async function allStand(
  { online, signal }: Pick<RoomContext, "online" | "signal">,
  room: RoomId,
  bundles: readonly MediaManifest[],
): Promise<boolean> {
  const connection = await online(onlineTimeoutMs, signal);
  for (const { object } of bundles) {
    try {
      await connection.request(
        { case: "getObject", value: { room: fromHex(room), object } },
        "objectInfo",
      );
    } catch (error) {
      if (serverError(error)?.code === ErrorCode.UNKNOWN_OBJECT) return false;
      throw error;
    }
  }
  return true;
}
