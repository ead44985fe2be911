import { create } from "@bufbuild/protobuf";
import {
  ErrorCode,
  fromErrorMessage,
  fromHex,
  GetObjectSchema,
  type ObjectId,
  type ObjectInfo,
  ObjectKind,
  parseUserId,
  RequestSchema,
  type RoomId,
  SottoError,
  toSafeNumber,
} from "@sotto/protocol";
import type { Effect } from "../session/effect.ts";
import { refusal } from "../session/response-body.ts";
import { Download } from "./download.ts";
import type { EdgeParts } from "./parts.ts";
import type { ConnectionPort } from "./port.ts";
import { Uploads } from "./uploads.ts";

type OpenEffect = Extract<Effect, { kind: "openObject" }>;
type UploadEffect = Extract<Effect, { kind: "beginUpload" }>;

/** A paused player asks again from where it was; one that holds a stream for ever holds it from others. */
const creditWithinMs = 60_000;
/** A piece that does not come holds memory that others' would take. */
const bytesWithinMs = 60_000;

/** Performs what a session wants done with media objects. */
export class MediaEffects {
  readonly #port: ConnectionPort;
  readonly #parts: EdgeParts;
  readonly #uploads: Uploads;
  readonly #downloads = new Map<number, Download>();
  /** Size of the object that was uploaded to last: its pieces come one after the other. */
  #uploadedTo: { readonly key: string; readonly info: Promise<ObjectInfo> } | undefined;
  readonly #infoOfUpload = new Map<number, Promise<ObjectInfo>>();

  constructor(port: ConnectionPort, parts: EdgeParts) {
    this.#port = port;
    this.#parts = parts;
    this.#uploads = new Uploads({
      link: parts.mediaLink,
      clock: parts.clock,
      budget: parts.uploadBudget,
      user: () => port.principal.user,
      bytesWithinMs,
      stalled: (stream) => this.#stalled(stream),
    });
    port.ended.addEventListener("abort", () => {
      this.#uploads.dropAll();
      for (const download of this.#downloads.values()) download.cancel();
    });
  }

  beginUpload({ stream, room, object, piece, bytes }: UploadEffect): void {
    const info = this.#infoForUpload(room, object);
    try {
      this.#uploads.begin(stream, { room, object, piece, bytes, allowed: info });
      this.#infoOfUpload.set(stream, info);
    } catch (error) {
      this.#port.answer(stream, Promise.reject(error));
    }
  }

  fill(stream: number, bytes: Uint8Array): void {
    this.#uploads.fill(stream, bytes);
    this.#parts.events.mediaReceived(bytes.length);
  }

  finishUpload(stream: number): void {
    const info = this.#infoOfUpload.get(stream);
    this.#infoOfUpload.delete(stream);
    const work = Promise.all([this.#uploads.finish(stream), info]).then(
      ([piecesDurable, about]) => {
        const durableBytes = piecesDurable * this.#parts.limits.pieceBytes;
        const complete = about !== undefined && durableBytes >= Number(about.sealedBytes);
        return { case: "pieceStored" as const, value: { piecesDurable, complete } };
      },
    );
    this.#port.answer(stream, work);
  }

  dropUpload(stream: number): void {
    this.#infoOfUpload.delete(stream);
    this.#uploads.drop(stream);
  }

  open(effect: OpenEffect): void {
    const { limits } = this.#parts;
    const download = new Download({
      stream: effect.stream,
      outbox: this.#port.outbox,
      credit: effect.credit,
      creditBytesMax: limits.mediaCreditBytesMax,
      frameBytesMax: limits.mediaFrameBytesMax,
      clock: this.#parts.clock,
      creditWithinMs,
    });
    this.#downloads.set(effect.stream, download);
    void this.#run(effect, download).finally(() => {
      if (this.#downloads.get(effect.stream) === download) this.#downloads.delete(effect.stream);
    });
  }

  credit(stream: number, bytes: number): void {
    this.#downloads.get(stream)?.addCredit(bytes);
  }

  cancel(stream: number): void {
    this.#downloads.get(stream)?.cancel();
    this.#downloads.delete(stream);
  }

  #stalled(stream: number): void {
    this.#infoOfUpload.delete(stream);
    const body = refusal(ErrorCode.UNAVAILABLE, "the piece did not come for too long");
    this.#port.feed({ kind: "answered", stream, body });
  }

  /** Never rejects: what goes wrong is told to the session, unless the download was cancelled. */
  async #run(
    { stream, room, object, offset, length }: OpenEffect,
    download: Download,
  ): Promise<void> {
    let opened = false;
    try {
      const info = await this.#info(room, object);
      if (download.signal.aborted) return;
      const wanted = wantedBytes(info, offset, length, this.#parts.limits.pieceBytes);
      const value = { sealedBytes: info.sealedBytes };
      this.#port.feed({ kind: "answered", stream, body: { case: "objectOpened", value } });
      opened = true;
      const request = { room, object, offset, length: wanted };
      const chunks = this.#parts.mediaLink.open(request, download.signal);
      const complete = await download.send(chunks, wanted);
      if (download.signal.aborted) return;
      this.#parts.events.mediaSent(wanted);
      if (complete) this.#port.feed({ kind: "downloadEnded", stream });
      else this.#port.feed({ kind: "downloadEnded", stream, code: ErrorCode.UNAVAILABLE });
    } catch (error) {
      if (download.signal.aborted) return;
      const code = this.#port.codeOf(error);
      if (opened) return this.#port.feed({ kind: "downloadEnded", stream, code });
      const body = refusal(code, "the object cannot be opened");
      this.#port.feed({ kind: "answered", stream, body });
    }
  }

  #infoForUpload(room: RoomId, object: ObjectId): Promise<ObjectInfo> {
    const key = `${room}/${object}`;
    const member = this.#parts.rosters.get(room)?.devices.has(this.#port.principal.device);
    if (this.#uploadedTo?.key === key && member) return this.#uploadedTo.info;
    const info = this.#ownObject(room, object);
    this.#uploadedTo = { key, info };
    info.catch(() => {
      if (this.#uploadedTo?.info === info) this.#uploadedTo = undefined;
    });
    return info;
  }

  /** An object that this user may write to: their own file, or a part, which anybody names by its hash. */
  async #ownObject(room: RoomId, object: ObjectId): Promise<ObjectInfo> {
    const info = await this.#info(room, object);
    if (info.kind === ObjectKind.PART) return info;
    if (!(await this.#parts.rosters.member(room, this.#port.principal.device))) throw notAMember();
    if (parseUserId(info.owner) === this.#port.principal.user) return info;
    throw new SottoError(ErrorCode.FORBIDDEN, "that object is somebody else's");
  }

  /** What the media service knows of an object, for every device of a member of its room. */
  async #info(room: RoomId, object: ObjectId): Promise<ObjectInfo> {
    const { rosters, calls, confirmation } = this.#parts;
    const { principal } = this.#port;
    if (!confirmation.holds) {
      throw new SottoError(ErrorCode.UNAVAILABLE, "rosters cannot be confirmed now");
    }
    if (!(await rosters.memberUser(room, principal.user))) throw notAMember();
    const value = create(GetObjectSchema, { room: fromHex(room), object: fromHex(object) });
    const request = create(RequestSchema, { body: { case: "getObject", value } });
    const { body } = await calls.command("media", calls.encodeCommand(principal, request));
    if (body.case === "objectInfo") return body.value;
    if (body.case === "error") throw fromErrorMessage(body.value);
    throw new SottoError(ErrorCode.INTERNAL, "the media service answered something else");
  }
}

function notAMember(): SottoError {
  return new SottoError(ErrorCode.NOT_A_MEMBER, "this device is not in the room");
}

/** Bytes that an open will send. Throws BAD_RANGE, or OBJECT_INCOMPLETE where they are not all there yet. */
function wantedBytes(info: ObjectInfo, offset: number, length: number, pieceBytes: number): number {
  const sealedBytes = toSafeNumber(info.sealedBytes);
  if (offset > sealedBytes) {
    throw new SottoError(ErrorCode.BAD_RANGE, "the offset is past the object's end");
  }
  const rest = sealedBytes - offset;
  const wanted = length === 0 ? rest : Math.min(length, rest);
  if (!info.complete && offset + wanted > info.piecesDurable * pieceBytes) {
    throw new SottoError(ErrorCode.OBJECT_INCOMPLETE, "the object is still being uploaded");
  }
  return wanted;
}
