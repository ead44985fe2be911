import { fromBinary } from "@bufbuild/protobuf";
import {
  fromHex,
  type ObjectId,
  parseObjectId,
  parseRoomId,
  parseUserId,
  type RoomId,
  type UserId,
} from "@sotto/protocol";
import { type MediaManifest, MediaManifestSchema } from "@sotto/protocol/content";
import { textOf } from "../bytes.ts";
import { SottoClientError } from "../errors.ts";
import type { RoomDesk } from "../room-desk.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import { deleteObject } from "./delete-object.ts";
import type { MediaSource } from "./media-source.ts";
import { openMedia } from "./open-media.ts";
import { type Shared, type ShareOptions, shareMedia } from "./share-media.ts";

/** A shared file or video as the room knows it. */
export interface MediaView {
  readonly object: ObjectId;
  readonly room: RoomId;
  readonly sequence: number;
  readonly sender: UserId;
  readonly name: string;
  /** Plaintext bytes. */
  readonly bytes: number;
  readonly mime: string;
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

interface KnownMedia {
  readonly view: MediaView;
  readonly manifest: MediaManifest;
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
   * Seals a file piece by piece, uploads it, and announces it in the room. Called again with the same
   * file after an interruption, it goes on where the server's durable pieces end.
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
    for (let after = ""; ; ) {
      const page = await this.#context.store.scan("media", { after, limit: 256 });
      for (const { key, value } of page) {
        after = key;
        const { view } = parseKnown(key, value);
        if (room === undefined || view.room === room) views.push(view);
      }
      if (page.length < 256) return views.sort((a, b) => a.sequence - b.sequence);
    }
  }

  /** Opens an object for reading. Throws UNKNOWN_OBJECT where no room of this device announced it. */
  async open(object: string): Promise<OpenedMedia> {
    const { view, manifest } = await this.#find(object);
    const read = await openMedia(this.#context, view.room, manifest);
    return { ...view, read };
  }

  /** Deletes an object's bytes at the server and tells the room. Only whoever shared it may. */
  async delete(object: string): Promise<void> {
    const { view } = await this.#find(object);
    await deleteObject(this.#context, await this.#desk.target(view.room), view.object);
  }

  async #find(object: string): Promise<KnownMedia> {
    const id = /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/.test(object) ? parseObjectId(object) : undefined;
    const value = id && (await this.#context.store.get("media", id));
    if (!id || !value)
      throw new SottoClientError("UNKNOWN_OBJECT", `no room of yours has shared ${object}`);
    return parseKnown(id, value);
  }
}

function parseKnown(object: string, value: Uint8Array): KnownMedia {
  const { room, sequence, sender, at, manifest: encoded } = JSON.parse(textOf(value));
  const manifest = fromBinary(MediaManifestSchema, fromHex(encoded));
  return {
    view: {
      object: parseObjectId(object),
      room: parseRoomId(String(room)),
      sequence,
      sender: parseUserId(String(sender)),
      name: manifest.name,
      bytes: Number(manifest.plainBytes),
      mime: manifest.mime,
      at,
    },
    manifest,
  };
}
