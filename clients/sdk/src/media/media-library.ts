import { type ObjectId, parseObjectId, type RoomId, type UserId } from "@sotto/protocol";
import { SottoClientError } from "../errors.ts";
import type { RoomDesk } from "../room-desk.ts";
import { isIdPrefix } from "../room-lookup.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import { type Announcement, announcementsOf, parseAnnouncement } from "./announcements.ts";
import { deleteObject } from "./delete-object.ts";
import type { MediaSource } from "./media-source.ts";
import { openMedia } from "./open-media.ts";
import { type Shared, type ShareOptions, shareMedia } from "./share-media.ts";

/** A shared file or video as the room knows it. */
export interface MediaView {
  readonly object: ObjectId;
  readonly room: RoomId;
  /** Where it was announced in the room's order. */
  readonly sequence: number;
  readonly sender: UserId;
  /** As the sender says: never a path to trust. */
  readonly name: string;
  /** Plaintext bytes. */
  readonly bytes: number;
  /** As the sender says: a hint, nothing more. */
  readonly mime: string;
  /** The sender's clock, ms. */
  readonly at: number;
}

/** A media object that can be read from any byte. */
export interface OpenedMedia extends MediaView {
  /**
   * Plaintext from `start` (inclusive) to `end` (exclusive), every block checked before its bytes are
   * given. Rejects with ALTERED where the server sends anything else than the sender sealed.
   */
  read(start: number, end: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Which announcement of an object is meant. */
export interface ObjectOptions {
  /** A room, by id or name. Without it, where several rooms announced the same object, the earliest is meant. */
  readonly room?: string;
}

/** Files and videos: sharing, listing, reading from any place, deleting. */
export class MediaLibrary {
  readonly #context: RoomContext;
  readonly #desk: RoomDesk;

  constructor(context: RoomContext, desk: RoomDesk) {
    this.#context = context;
    this.#desk = desk;
  }

  /**
   * Seals a file piece by piece, uploads it, and announces it in a room (id or name) or to a person (`@name`).
   * Called again with the same file after an interruption, it goes on where the server's durable pieces end. Rejects
   * with TOO_LARGE, FILE where the source changed meanwhile, as `SottoClient.send` does, or with the server's
   * `SottoError` (STORAGE_FULL, …).
   */
  async share(target: string, source: MediaSource, options: ShareOptions = {}): Promise<Shared> {
    const refusal = this.#context.directory.refusal();
    // Before the upload: what cannot be announced need not travel.
    if (refusal) throw refusal;
    return await shareMedia(this.#context, await this.#desk.target(target), source, options);
  }

  /** What was shared in a room, or in all of them, oldest first. */
  async list(room?: RoomId): Promise<MediaView[]> {
    const views: MediaView[] = [];
    for await (const announcement of this.#announcements(""))
      if (room === undefined || announcement.room === room) views.push(viewOf(announcement));
    return views.sort((a, b) => a.sequence - b.sequence);
  }

  /**
   * Opens an object for reading. Rejects with UNKNOWN_OBJECT where no room of this device announced it, or not the
   * one that is named; AMBIGUOUS_OBJECT; ALTERED where the server's list of hashes is not the sender's; UNKNOWN_ROOM, AMBIGUOUS_ROOM.
   */
  async open(object: string, options: ObjectOptions = {}): Promise<OpenedMedia> {
    const [first] = await this.#find(object, options);
    const read = await openMedia(this.#context, first.room, first.manifest);
    return { ...viewOf(first), read };
  }

  /**
   * Deletes an object's bytes at the server and tells the room. Only whoever shared it may: others' is refused with the
   * server's FORBIDDEN. Rejects with UNKNOWN_OBJECT as `open` does.
   */
  async delete(object: string, options: ObjectOptions = {}): Promise<void> {
    const found = await this.#find(object, options);
    const own = found.find(({ sender }) => sender === this.#context.profile.user);
    const { room, object: id } = own ?? found[0];
    await deleteObject(this.#context, await this.#desk.target(room), id);
  }

  /** The announcements of an object, by its id or the beginning of it, the earliest first. */
  async #find(object: string, { room }: ObjectOptions): Promise<[Announcement, ...Announcement[]]> {
    const wanted = room === undefined ? undefined : this.#desk.find(room).room;
    const found: Announcement[] = [];
    const whole = /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/.test(object);
    if (whole || isIdPrefix(object))
      for await (const announcement of this.#announcements(
        whole ? announcementsOf(parseObjectId(object)) : object,
      ))
        if (wanted === undefined || announcement.room === wanted) found.push(announcement);
    const ids = [...new Set(found.map((announcement) => announcement.object))];
    if (ids.length > 1)
      throw new SottoClientError(
        "AMBIGUOUS_OBJECT",
        `several objects begin with ${object}: ${ids.join(", ")}`,
      );
    const [first, ...others] = found.sort((a, b) => a.sequence - b.sequence);
    if (first) return [first, ...others];
    const where = room === undefined ? "no room of yours" : `nobody in ${room}`;
    throw new SottoClientError("UNKNOWN_OBJECT", `${where} has shared ${object}`);
  }

  async *#announcements(prefix: string): AsyncGenerator<Announcement, void, undefined> {
    for (let after = ""; ; ) {
      const page = await this.#context.store.scan("media", { prefix, after, limit: 256 });
      for (const { key, value } of page) {
        after = key;
        yield parseAnnouncement(key, value);
      }
      if (page.length < 256) return;
    }
  }
}

function viewOf({ object, room, sequence, sender, at, manifest }: Announcement): MediaView {
  const { name, mime, plainBytes } = manifest;
  return { object, room, sequence, sender, name, bytes: Number(plainBytes), mime, at };
}
