import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "@sotto/clock";
import type { ServiceCall } from "@sotto/interservice";
import {
  type CreateObject,
  type DeleteObject,
  ErrorCode,
  type GetObject,
  type ListObjects,
  ObjectKind,
  parseObjectId,
  parseRoomId,
  parseUserId,
  type ResponseSchema,
  SottoError,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import type { MediaEvents } from "./events.ts";
import { listingPage } from "./listing.ts";
import type { MediaLimits } from "./media-limits.ts";
import { objectInfo } from "./object-info.ts";
import type { ObjectRef } from "./object-keys.ts";
import { kindOf, type ObjectRecord, pieceCountOf } from "./object-record.ts";
import type { ObjectStore } from "./object-store.ts";
import type { Uploads } from "./uploads.ts";

/** The body of a Response, before it is encoded. */
type Answer = NonNullable<MessageInitShape<typeof ResponseSchema>["body"]>;

export interface CommandDeps {
  readonly store: ObjectStore;
  readonly uploads: Uploads;
  readonly clock: Clock;
  readonly limits: MediaLimits;
  readonly events: MediaEvents;
}

/**
 * Answers a client's request about objects. The edge has checked that the caller is a member of the
 * room. Rejects with `SottoError`, `IdError` where an identifier is malformed, or an error of the store.
 */
export async function answerCommand(
  { caller, request }: ServiceCall,
  deps: CommandDeps,
): Promise<Answer> {
  const body = request?.body;
  const user = parseUserId(caller?.user ?? new Uint8Array());
  switch (body?.case) {
    case "createObject":
      return createObject(body.value, user, deps);
    case "getObject":
      return getObject(body.value, deps);
    case "listObjects":
      return listObjects(body.value, deps);
    case "deleteObject":
      return deleteObject(body.value, user, deps);
    default:
      throw new SottoError(ErrorCode.UNKNOWN_REQUEST, "not a request for media");
  }
}

/**
 * Makes room for an object's pieces. Asked again for the same object it answers what stands, so
 * that an upload resumes; anybody may do so for a part, whose id is the hash of its bytes.
 */
async function createObject(body: CreateObject, owner: UserId, deps: CommandDeps): Promise<Answer> {
  const ref = refOf(body);
  const sealedBytes = toSafeNumber(body.sealedBytes);
  if (body.kind !== kindOf(ref)) {
    throw new SottoError(ErrorCode.BAD_REQUEST, "the kind and the id's length disagree");
  }
  if (sealedBytes === 0) throw new SottoError(ErrorCode.BAD_REQUEST, "an object is not empty");
  if (sealedBytes > deps.limits.objectBytesMax) {
    throw new SottoError(ErrorCode.TOO_LARGE, "the object is too large");
  }
  const wanted = { ...ref, sealedBytes, owner, createdAtMs: deps.clock.now() };
  const stands = await deps.uploads.alone(ref, () => deps.store.create(wanted));
  const others = stands.owner !== owner && body.kind === ObjectKind.FILE;
  if (others || stands.sealedBytes !== sealedBytes) {
    throw new SottoError(ErrorCode.OBJECT_EXISTS, "another object has this id");
  }
  if (stands === wanted) {
    deps.events.objectCreated();
    return { case: "objectInfo", value: objectInfo(stands, 0, deps.limits) };
  }
  return infoOf(stands, deps);
}

async function getObject(body: GetObject, deps: CommandDeps): Promise<Answer> {
  return infoOf(await existing(refOf(body), deps), deps);
}

async function listObjects(body: ListObjects, { store, limits }: CommandDeps): Promise<Answer> {
  const room = parseRoomId(body.room);
  const after = body.after.length > 0 ? parseObjectId(body.after) : undefined;
  const records = await store.records(room, "files");
  const pageMax = Math.min(body.limit || limits.pageObjectsMax, limits.pageObjectsMax);
  const { page, more } = listingPage(records, after, pageMax);
  const completed = await store.completed(room);
  const objects = [];
  for (const record of page) {
    const pieces = completed.has(record.object)
      ? pieceCountOf(record, limits.pieceBytes)
      : await store.piecesDurable(record);
    objects.push(objectInfo(record, pieces, limits));
  }
  return { case: "objectList", value: { objects, more } };
}

/** Only the owner deletes. */
async function deleteObject(body: DeleteObject, user: UserId, deps: CommandDeps): Promise<Answer> {
  const ref = refOf(body);
  await deps.uploads.alone(ref, async () => {
    const record = await existing(ref, deps);
    if (record.owner !== user) {
      throw new SottoError(ErrorCode.FORBIDDEN, "only its owner deletes an object");
    }
    deps.uploads.forget(ref);
    await deps.store.delete(ref);
  });
  deps.events.objectDeleted();
  return { case: "done", value: {} };
}

async function existing(ref: ObjectRef, { store }: CommandDeps): Promise<ObjectRecord> {
  const record = await store.find(ref);
  if (!record) throw new SottoError(ErrorCode.UNKNOWN_OBJECT, "no such object");
  return record;
}

async function infoOf(record: ObjectRecord, { store, limits }: CommandDeps): Promise<Answer> {
  const pieces = await store.piecesDurable(record);
  return { case: "objectInfo", value: objectInfo(record, pieces, limits) };
}

function refOf(body: { room: Uint8Array; object: Uint8Array }): ObjectRef {
  return { room: parseRoomId(body.room), object: parseObjectId(body.object) };
}
