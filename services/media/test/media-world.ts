import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { BlobStore } from "@sotto/blobs";
import { openFileSystemBlobs } from "@sotto/blobs/file-system";
import { createInProcessBus } from "@sotto/bus/in-process";
import { createMetrics, silentLogger } from "@sotto/chassis";
import { ManualClock } from "@sotto/clock";
import { call, ServiceCallSchema, subjects } from "@sotto/interservice";
import type { MediaHandler } from "@sotto/media-link";
import {
  type ErrorCode,
  fromHex,
  ObjectKind,
  type RequestSchema,
  ResponseSchema,
  toHex,
} from "@sotto/protocol";
import { onTestFinished } from "vitest";
import type { MediaLimits } from "../src/media-limits.ts";
import { startMedia } from "../src/start-media.ts";

export const room = "0a".repeat(16);
export const object = "0b".repeat(16);
export const alice = "aa".repeat(16);
export const bob = "bb".repeat(16);
export const pieceBytes = 1024;
export const hourMs = 60 * 60 * 1000;
const noAbort = new AbortController().signal;

/** Bytes that differ from piece to piece. */
export function sealed(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "sotto-media-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A media service over `blobs`, ended with the test, and what an edge does with it. */
export async function startOver(blobs: BlobStore, limits: Partial<MediaLimits> = {}) {
  const bus = createInProcessBus();
  const clock = new ManualClock();
  let served: MediaHandler | undefined;
  const media = await startMedia({
    bus,
    blobs,
    clock,
    logger: silentLogger,
    metrics: createMetrics({ service: "media" }),
    serveLink: async (handler) => {
      served = handler;
      return { [Symbol.asyncDispose]: async () => undefined };
    },
    limits: { pieceBytes, chunkBytes: 256, ...limits },
  });
  onTestFinished(() => media[Symbol.asyncDispose]());
  if (!served) throw new Error("the link was not served");
  const link = served;
  type Body = NonNullable<MessageInitShape<typeof RequestSchema>["body"]>;
  const ask = async (body: Body, user = alice) => {
    const caller = { user: fromHex(user), device: fromHex(user) };
    const answer = await call(
      bus,
      subjects.mediaCommand,
      ServiceCallSchema,
      ResponseSchema,
      { caller, request: { body } },
      { timeoutMs: 1000 },
    );
    return answer.body;
  };
  const ref = (id: string) => ({ room: fromHex(room), object: fromHex(id) });
  const create = (bytes: number, id = object, user = alice, kind = ObjectKind.FILE) =>
    ask({ case: "createObject", value: { ...ref(id), kind, sealedBytes: BigInt(bytes) } }, user);
  const info = async (id = object) => {
    const body = await ask({ case: "getObject", value: ref(id) });
    return body.case === "objectInfo" ? body.value : undefined;
  };
  const remove = (user: string, id = object) => ask({ case: "deleteObject", value: ref(id) }, user);
  const list = async (after = "", limit = 0) => {
    const value = { room: fromHex(room), after: fromHex(after), limit };
    const body = await ask({ case: "listObjects", value });
    if (body.case !== "objectList") throw new Error("no list");
    return { objects: body.value.objects.map((o) => toHex(o.object)), more: body.value.more };
  };
  const put = (piece: number, data: Uint8Array, id = object) =>
    link.putPiece({ room, object: id, piece, data });
  const upload = async (data: Uint8Array, pieces = Number.POSITIVE_INFINITY, id = object) => {
    for (let piece = 0; piece * pieceBytes < data.length && piece < pieces; piece++) {
      await put(piece, data.subarray(piece * pieceBytes, (piece + 1) * pieceBytes), id);
    }
  };
  const open = (offset: number, length: number, signal = noAbort, id = object) =>
    link.open({ room, object: id, offset, length }, signal);
  const read = async (offset: number, length: number) => {
    const chunks = [];
    for await (const chunk of open(offset, length)) chunks.push(chunk);
    return new Uint8Array(Buffer.concat(chunks));
  };
  return { media, clock, ask, create, info, remove, list, put, upload, open, read };
}

/** The same over a folder of its own. */
export async function mediaWorld(limits: Partial<MediaLimits> = {}) {
  const blobs = await openFileSystemBlobs({ folder: await folder() });
  onTestFinished(() => blobs[Symbol.asyncDispose]());
  return { blobs, ...(await startOver(blobs, limits)) };
}

/** What a command rejects with. */
export const refusedWith = (code: ErrorCode) => ({ name: "SottoError", code });

/** Moves time on and lets the file system answer. */
export async function idleFor(clock: ManualClock, ms: number): Promise<void> {
  await clock.advance(ms);
  await new Promise((resolve) => setTimeout(resolve, 20));
}
