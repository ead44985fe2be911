import { ObjectKind, parseUserId, type UserId } from "@sotto/protocol";
import type { ObjectRef } from "./object-keys.ts";
import { shelfOf } from "./object-keys.ts";

/** What is kept of an object beside its bytes. Never changes once stored. */
export interface ObjectRecord extends ObjectRef {
  /** Size of the sealed object. */
  readonly sealedBytes: number;
  readonly owner: UserId;
  readonly createdAtMs: number;
}

const recordVersion = 1;

/** A record in the store cannot be read: an operator must look. */
export class RecordError extends Error {
  override readonly name = "RecordError";
  readonly code: "CORRUPT" | "NEWER_VERSION";
  constructor(code: RecordError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function kindOf({ object }: ObjectRef): ObjectKind {
  return shelfOf(object) === "files" ? ObjectKind.FILE : ObjectKind.PART;
}

/** How many pieces the whole object has. */
export function pieceCountOf(record: ObjectRecord, pieceBytes: number): number {
  return Math.ceil(record.sealedBytes / pieceBytes);
}

/** Size that piece `piece` must have; 0 beyond the object's end. */
export function pieceSizeOf(record: ObjectRecord, piece: number, pieceBytes: number): number {
  return Math.min(pieceBytes, Math.max(0, record.sealedBytes - piece * pieceBytes));
}

/** Equal records give equal bytes. */
export function encodeRecord(record: ObjectRecord): Uint8Array {
  const { sealedBytes, owner, createdAtMs } = record;
  return new TextEncoder().encode(
    JSON.stringify({ v: recordVersion, bytes: sealedBytes, owner, created: createdAtMs }),
  );
}

/** Throws `RecordError`. */
export function decodeRecord(ref: ObjectRef, data: Uint8Array): ObjectRecord {
  const { v, bytes, owner, created } = parse(data);
  if (typeof v === "number" && v > recordVersion) {
    throw new RecordError(
      "NEWER_VERSION",
      `a media record is of version ${v}, newer than this program`,
    );
  }
  if (v !== recordVersion || !isCount(bytes) || !isCount(created) || typeof owner !== "string") {
    throw new RecordError("CORRUPT", "a media record is malformed");
  }
  return { ...ref, sealedBytes: bytes, owner: parseUserId(owner), createdAtMs: created };
}

function parse(data: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    if (typeof value === "object" && value !== null) return { ...value };
  } catch (cause) {
    throw new RecordError("CORRUPT", "a media record is not JSON", { cause });
  }
  throw new RecordError("CORRUPT", "a media record is not an object");
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
