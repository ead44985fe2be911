import { hash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Appended, Log } from "@sotto/log";
import {
  type DeviceId,
  ErrorCode,
  type RoomId,
  SottoError,
  StoredMessageSchema,
} from "@sotto/protocol";
import type { Rosters } from "./rosters.ts";
import { topicOf } from "./topic.ts";

export interface MessageToAppend {
  readonly room: RoomId;
  readonly device: DeviceId;
  readonly deviceBytes: Uint8Array;
  /** Chosen by the device (16 bytes). */
  readonly id: Uint8Array;
  readonly handshake: number;
  readonly sealed: Uint8Array;
}

/**
 * Writes messages to the log, for members only: the roster that is asked is the one of the very
 * handshake record that the message was sealed under, and the log makes sure that this record is
 * still the room's last.
 */
export class Messages {
  readonly #log: Log;
  readonly #rosters: Rosters;

  constructor(log: Log, rosters: Rosters) {
    this.#log = log;
    this.#rosters = rosters;
  }

  /**
   * Resolves when the message is durable. Rejects with `SottoError` (NOT_A_MEMBER, UNKNOWN_ROOM,
   * STALE), `LogError` or `BusError`. `sealed` and `id` are not kept beyond the call.
   */
  append(message: MessageToAppend): Promise<Appended> {
    const roster = this.#rosters.get(message.room);
    if (roster && roster.foldedTo >= message.handshake && roster.devices.has(message.device)) {
      return this.#append(message, roster.foldedTo);
    }
    return this.#appendAfterRefresh(message);
  }

  async #appendAfterRefresh(message: MessageToAppend): Promise<Appended> {
    const { room, device } = message;
    // The bytes are the caller's only until the call returns.
    const kept = { ...message, id: message.id.slice(), sealed: message.sealed.slice() };
    const roster = await this.#rosters.refresh(room);
    if (!roster) throw new SottoError(ErrorCode.UNKNOWN_ROOM, "there is no such room");
    if (!roster.devices.has(device)) {
      throw new SottoError(ErrorCode.NOT_A_MEMBER, "this device is not in the room");
    }
    return this.#append(kept, roster.foldedTo);
  }

  #append(message: MessageToAppend, foldedTo: number): Promise<Appended> {
    if (foldedTo !== message.handshake) {
      const options = { handshake: foldedTo };
      return Promise.reject(new SottoError(ErrorCode.STALE, "the room has moved on", options));
    }
    const { room, deviceBytes, id, sealed, handshake } = message;
    return this.#log.append({
      topic: topicOf(room),
      kind: "m",
      key: messageKey(room, message.device, id),
      expectHandshake: handshake,
      data: toBinary(
        StoredMessageSchema,
        create(StoredMessageSchema, { device: deviceBytes, id, sealed }),
      ),
    });
  }
}

/**
 * The key under which the log tells a repeated message: hex SHA-256(room || device || id). The
 * device is the authenticated one, so that nobody can occupy another's id.
 */
export function messageKey(room: RoomId, device: DeviceId, id: Uint8Array): string {
  const idHex = Buffer.from(id.buffer, id.byteOffset, id.length).toString("hex");
  return hash("sha256", Buffer.from(room + device + idHex, "hex"), "hex");
}
