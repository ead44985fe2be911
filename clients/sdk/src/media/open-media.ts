import { fromHex, type ObjectId, parseObjectId, type RoomId, toSafeNumber } from "@sotto/protocol";
import type { MediaManifest } from "@sotto/protocol/content";
import { decodeHashList, Opener, SealedMediaError } from "@sotto/sealed-media";
import { mayPass, SottoClientError } from "../errors.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import { sealContext } from "./seal-context.ts";

const connectTimeoutMs = 30_000;
/** A read goes on after a loss this many times without having got a byte in between, after longer and longer waits. */
const resumesMax = 8;
const resumeWaitMs = 250;
const resumeWaitMaxMs = 4000;

export type ReadMedia = (
  start: number,
  end: number,
  signal?: AbortSignal,
) => AsyncIterable<Uint8Array>;

/** A reader of the object that a manifest describes. Rejects with ALTERED where the manifest is not whole. */
export async function openMedia(
  context: RoomContext,
  room: RoomId,
  manifest: MediaManifest,
): Promise<ReadMedia> {
  const object = parseObjectId(manifest.object);
  const opener = await refusing(async () => {
    const hashes = decodeHashList(await hashesOf(context, room, manifest));
    if (!hashes) throw new SealedMediaError("ALTERED", "the list of hashes is not whole");
    return await Opener.create({
      key: manifest.key,
      salt: manifest.salt,
      commitment: manifest.commitment,
      context: sealContext(object, room),
      sealedBytes: toSafeNumber(manifest.sealedBytes),
      root: manifest.root,
      hashes,
      crypto: context.sealCrypto,
    });
  });
  return async function* (start, end, given) {
    const signal = given ? AbortSignal.any([given, context.signal]) : context.signal;
    const fetch = (offset: number, length: number) =>
      fetchSealed(context, room, object, offset, length, signal);
    try {
      yield* opener.read(start, end, fetch);
    } catch (error) {
      throw refusal(error);
    }
  };
}

/** The hash list: in the manifest, or in a sealed object of its own. */
async function hashesOf(
  context: RoomContext,
  room: RoomId,
  manifest: MediaManifest,
): Promise<Uint8Array> {
  const { hashObject } = manifest;
  if (!hashObject) return manifest.hashes;
  if (hashObject.hashObject) throw new SealedMediaError("ALTERED", "a hash list of a hash list");
  const length = toSafeNumber(hashObject.plainBytes);
  const read = await openMedia(context, room, hashObject);
  const whole = new Uint8Array(length);
  let at = 0;
  for await (const bytes of read(0, length)) {
    whole.set(bytes, at);
    at += bytes.length;
  }
  return whole;
}

/** Sealed bytes from the server, begun again where they stopped after a lost connection or a part of the server. */
async function* fetchSealed(
  context: RoomContext,
  room: RoomId,
  object: ObjectId,
  offset: number,
  length: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = offset;
  const end = offset + length;
  for (let resumes = 0; at < end; resumes++) {
    try {
      const connection = await context.online(connectTimeoutMs, signal);
      const range = { offset: BigInt(at), length: BigInt(end - at) };
      const { bytes } = await connection.download(
        (credit) => ({
          case: "openObject",
          value: { room: fromHex(room), object: fromHex(object), ...range, credit },
        }),
        "objectOpened",
      );
      for await (const chunk of bytes) {
        signal?.throwIfAborted();
        at += chunk.length;
        resumes = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      if (!mayPass(error) || resumes >= resumesMax) throw error;
      await context.clock.sleep(Math.min(resumeWaitMaxMs, resumeWaitMs * 2 ** resumes), signal);
    }
  }
}

async function refusing<Result>(task: () => Promise<Result>): Promise<Result> {
  try {
    return await task();
  } catch (error) {
    throw refusal(error);
  }
}

function refusal(error: unknown): unknown {
  if (!(error instanceof SealedMediaError)) return error;
  return new SottoClientError("ALTERED", `this is not what the sender shared: ${error.message}`, {
    cause: error,
  });
}
