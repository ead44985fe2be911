import type { Clock } from "@sotto/clock";
import {
  ErrorCode,
  fromHex,
  limits,
  type ObjectId,
  ObjectKind,
  type Part,
  parseObjectId,
  type RoomId,
} from "@sotto/protocol";
import { equalBytes, sha256 } from "../bytes.ts";
import type { Checks } from "../checks.ts";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError, serverError } from "../errors.ts";

/** A part of an envelope as it travels: inline, or named by its hash. */
export type PartInit = Pick<Part, "inline" | "sha256" | "bytes">;

const fetchAttemptsMax = 20;
const fetchRetryMs = 500;

/** Keeps the large parts of handshake records (Welcomes, trees) beside the log, named by their hash. */
export class Parts {
  readonly #clock: Clock;
  readonly #checks: Checks;

  constructor(clock: Clock, checks: Checks) {
    this.#clock = clock;
    this.#checks = checks;
  }

  /** How `bytes` are named in an envelope. Large ones must be uploaded too. */
  async describe(bytes: Uint8Array | undefined): Promise<PartInit> {
    if (!bytes) return { inline: new Uint8Array(), sha256: new Uint8Array(), bytes: 0 };
    if (bytes.length <= limits.inlinePartBytesMax) {
      return { inline: bytes, sha256: new Uint8Array(), bytes: bytes.length };
    }
    return { inline: new Uint8Array(), sha256: await sha256(bytes), bytes: bytes.length };
  }

  /** Uploads a part that `describe` named by hash; nothing where it travels inline. */
  async upload(
    connection: Connection,
    room: RoomId,
    part: PartInit,
    bytes: Uint8Array | undefined,
  ): Promise<void> {
    if (!bytes || part.sha256.length === 0) return;
    const at = { room: fromHex(room), object: part.sha256 };
    const info = await connection.request(
      {
        case: "createObject",
        value: { ...at, kind: ObjectKind.PART, sealedBytes: BigInt(bytes.length) },
      },
      "objectInfo",
    );
    if (info.complete) return;
    for (let piece = info.piecesDurable; piece * limits.pieceBytes < bytes.length; piece++) {
      const data = bytes.subarray(piece * limits.pieceBytes, (piece + 1) * limits.pieceBytes);
      await connection.upload(
        { case: "putPiece", value: { ...at, piece, bytes: data.length } },
        data,
        "pieceStored",
      );
    }
  }

  /**
   * A part's bytes, checked against their hash. A committer uploads the tree only after its record won,
   * so one that is not there yet is asked for again for a while.
   */
  async fetch(connection: Connection, room: RoomId, part: Part | undefined): Promise<Uint8Array> {
    if (!part) return new Uint8Array();
    if (part.sha256.length === 0) return part.inline;
    const object = parseObjectId(part.sha256);
    for (let attempt = 1; ; attempt++) {
      try {
        const bytes = await this.#download(connection, room, object, part.bytes);
        if (!this.#checks.partHash || equalBytes(await sha256(bytes), part.sha256)) return bytes;
        throw new SottoClientError(
          "ALTERED",
          "a part of a room's handshake record was altered by the server",
        );
      } catch (error) {
        const code = serverError(error)?.code;
        const early =
          code === ErrorCode.UNKNOWN_OBJECT ||
          code === ErrorCode.OBJECT_INCOMPLETE ||
          code === ErrorCode.UNAVAILABLE;
        if (!early || attempt === fetchAttemptsMax) throw error;
        await this.#clock.sleep(fetchRetryMs);
      }
    }
  }

  async #download(
    connection: Connection,
    room: RoomId,
    object: ObjectId,
    length: number,
  ): Promise<Uint8Array> {
    const { bytes } = await connection.download(
      (credit) => ({
        case: "openObject",
        value: {
          room: fromHex(room),
          object: fromHex(object),
          offset: 0n,
          length: BigInt(length),
          credit,
        },
      }),
      "objectOpened",
    );
    const whole = new Uint8Array(length);
    let filled = 0;
    for await (const chunk of bytes) {
      if (filled + chunk.length > length)
        throw new SottoClientError("ALTERED", "a part is longer than it was said to be");
      whole.set(chunk, filled);
      filled += chunk.length;
    }
    return whole.subarray(0, filled);
  }
}
