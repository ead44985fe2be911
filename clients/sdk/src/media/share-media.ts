import { create } from "@bufbuild/protobuf";
import { fromHex, limits, type ObjectId, ObjectKind, parseObjectId, toHex } from "@sotto/protocol";
import { type MediaManifest, MediaManifestSchema } from "@sotto/protocol/content";
import { encodeHashList, Sealer, saltBytes, sealedLength } from "@sotto/sealed-media";
import { randomBytes, textOf, utf8 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { mayPass, SottoClientError } from "../errors.ts";
import type { Room } from "../rooms/room.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import type { MediaSource } from "./media-source.ts";
import { sealContext } from "./seal-context.ts";

/** How a file is shared. */
export interface ShareOptions {
  /** Ends the upload with the signal's reason; what is durable by then is used when it is shared again. */
  readonly signal?: AbortSignal;
  /** Sealed bytes that are durable at the server, of all. */
  onProgress?(done: number, total: number): void;
}

/** A file that was shared, and where it was announced. */
export interface Shared {
  readonly object: ObjectId;
  /** Plaintext bytes. */
  readonly bytes: number;
  /** Pieces of 1 MiB that it was uploaded in. */
  readonly pieces: number;
  readonly room: string;
  /** Where it was announced in the room's order. */
  readonly sequence: number;
}

/** What is kept of an upload until it was announced, so that it can go on. Secret. */
interface Upload {
  readonly object: ObjectId;
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
}

const connectTimeoutMs = 30_000;
const attemptsMax = 10;
const retryWaitMs = 100;
const retryWaitMaxMs = 4000;
/** A hash list above this size is an object of its own: a message would not hold it. */
const inlineHashesBytesMax = 48 * 1024;
/** Pieces on their way at the same time. */
const windowPieces = 3;

/** Seals and uploads a file, and announces it in the room. */
export async function shareMedia(
  context: RoomContext,
  room: Room,
  source: MediaSource,
  options: ShareOptions,
): Promise<Shared> {
  if (sealedLength(source.bytes) > limits.objectBytesMax) {
    throw new SottoClientError(
      "TOO_LARGE",
      `a file has at most ${limits.objectBytesMax / 2 ** 30} GiB`,
    );
  }
  const name = `${room.replica.room}/${source.fingerprint}`;
  const upload = await remembered(context, name);
  const sealed = await uploadSealed(context, room, upload, source, options);
  const manifest = await describe(context, room, upload, source, sealed, options);
  const sent = await room.say({ case: "media", value: manifest }, options.signal);
  // Whoever shares it opens it next: by then this device knows it too, where the room can be read.
  const seen = () => room.replica.state.cursor >= sent.sequence;
  await room.replica.until(seen, connectTimeoutMs).catch(() => context.signal.throwIfAborted());
  await context.store.commit([{ table: "uploads", key: name, value: undefined }]);
  const pieces = sealed.hashes.length;
  return {
    object: upload.object,
    bytes: source.bytes,
    pieces,
    room: sent.room,
    sequence: sent.sequence,
  };
}

/** The upload that was begun with this file, or a new one; stored before its first byte leaves. */
async function remembered(context: RoomContext, name: string): Promise<Upload> {
  const stored = await context.store.get("uploads", name);
  if (stored) {
    const { object, key, salt } = JSON.parse(textOf(stored)) as Record<string, string>;
    return {
      object: parseObjectId(object ?? ""),
      key: fromHex(key ?? ""),
      salt: fromHex(salt ?? ""),
    };
  }
  const upload = {
    object: parseObjectId(randomBytes(16)),
    key: randomBytes(32),
    salt: randomBytes(saltBytes),
  };
  const json = { object: upload.object, key: toHex(upload.key), salt: toHex(upload.salt) };
  await context.store.commit([{ table: "uploads", key: name, value: utf8(JSON.stringify(json)) }]);
  return upload;
}

/** Uploads until every piece is durable, going on after lost connections and parts of the server that were away. */
async function uploadSealed(
  context: RoomContext,
  room: Room,
  upload: Upload,
  source: MediaSource,
  options: ShareOptions,
): Promise<Sealer> {
  for (let attempt = 1; ; attempt++) {
    try {
      const connection = await context.online(connectTimeoutMs, options.signal);
      return await uploadOnce(context, connection, room, upload, source, options);
    } catch (error) {
      if (!mayPass(error) || attempt >= attemptsMax) throw error;
      options.signal?.throwIfAborted();
      const waitMs = Math.min(retryWaitMaxMs, retryWaitMs * 2 ** attempt);
      await context.clock.sleep(waitMs, context.signal);
    }
  }
}

async function uploadOnce(
  context: RoomContext,
  connection: Connection,
  room: Room,
  upload: Upload,
  source: MediaSource,
  options: ShareOptions,
): Promise<Sealer> {
  const total = sealedLength(source.bytes);
  const at = { room: fromHex(room.replica.room), object: fromHex(upload.object) };
  const info = await connection.request(
    { case: "createObject", value: { ...at, kind: ObjectKind.FILE, sealedBytes: BigInt(total) } },
    "objectInfo",
  );
  const sealer = await Sealer.create({
    key: upload.key,
    salt: upload.salt,
    context: sealContext(upload.object, room.replica.room),
    crypto: context.sealCrypto,
  });
  const signal = options.signal ?? new AbortController().signal;
  const inFlight: Promise<unknown>[] = [];
  let piece = 0;
  for await (const data of sealer.blocks(source.read(0, signal))) {
    signal.throwIfAborted();
    // Pieces that are durable already are sealed again for their hashes only: the same bytes come out.
    if (piece >= info.piecesDurable) {
      const value = { ...at, piece, bytes: data.length };
      const stored = connection.upload({ case: "putPiece", value }, data, "pieceStored");
      // The first failure ends the upload; those behind it are not heard any more.
      stored.catch(() => {});
      inFlight.push(stored);
      if (inFlight.length >= windowPieces) await inFlight.shift();
    }
    piece++;
    options.onProgress?.(sealer.sealedBytes, total);
  }
  await Promise.all(inFlight);
  if (sealer.sealedBytes !== total)
    throw new SottoClientError("FILE", `${source.name} changed while it was shared`);
  return sealer;
}

async function describe(
  context: RoomContext,
  room: Room,
  upload: Upload,
  source: Pick<MediaSource, "name" | "mime" | "bytes">,
  sealer: Sealer,
  options: ShareOptions,
): Promise<MediaManifest> {
  const hashes = encodeHashList(sealer.hashes);
  const inline = hashes.length <= inlineHashesBytesMax;
  return create(MediaManifestSchema, {
    object: fromHex(upload.object),
    key: upload.key,
    salt: upload.salt,
    commitment: sealer.commitment,
    plainBytes: BigInt(source.bytes),
    sealedBytes: BigInt(sealer.sealedBytes),
    root: await sealer.root(),
    ...(inline
      ? { hashes }
      : { hashObject: await shareObject(context, room, hashes, "hashes", options) }),
    name: source.name,
    mime: source.mime,
  });
}

/** Seals bytes as an object of the room that is not announced by itself. Uploaded anew after a stop. */
export async function shareObject(
  context: RoomContext,
  room: Room,
  bytes: Uint8Array,
  name: string,
  { signal }: ShareOptions = {},
): Promise<MediaManifest> {
  const upload = {
    object: parseObjectId(randomBytes(16)),
    key: randomBytes(32),
    salt: randomBytes(saltBytes),
  };
  const source: MediaSource = {
    name,
    mime: "application/octet-stream",
    bytes: bytes.length,
    fingerprint: upload.object,
    async *read(start) {
      yield bytes.subarray(start);
    },
  };
  const options = signal ? { signal } : {};
  const sealer = await uploadSealed(context, room, upload, source, options);
  return await describe(context, room, upload, source, sealer, options);
}
