import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type Bus, BusError } from "@sotto/bus";
import type { Roster } from "@sotto/identity";
import { rosterFromMessage } from "@sotto/identity";
import {
  CertifyRequestSchema,
  type CertifyResponse,
  CertifyResponseSchema,
  ConfirmRequestSchema,
  type ConfirmResponse,
  ConfirmResponseSchema,
  DeviceRequestSchema,
  DeviceResponseSchema,
  type PresenceEntry,
  PresenceSnapshotRequestSchema,
  PresenceSnapshotResponseSchema,
  RoomsRequestSchema,
  RoomsResponseSchema,
  RosterRequestSchema,
  RosterResponseSchema,
  ServiceCallSchema,
  subjects,
} from "@sotto/interservice";
import {
  type DeviceId,
  fromHex,
  parseUserId,
  type Request,
  type Response,
  ResponseSchema,
  type RoomId,
  type UserId,
} from "@sotto/protocol";
import type { DeviceFacts } from "./session/input.ts";
import type { Principal } from "./session/session.ts";

/**
 * How long each attempt at a call may take, ms. A replica that stands still may get it: the next attempt probably
 * reaches another. Every call may be made again: who asks twice is answered as once.
 */
const callAttemptsMs = [2000, 3000] as const;
/** A commit waits for a power-safe append, an upload's creation for the disk. */
const commandAttemptsMs = [4000, 5000, 6000] as const;

/** What an edge asks of the other services. Every call rejects with `BusError` where nobody answers. */
export class ServiceCalls {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** A client's request as it is handed on. The bytes are a copy: the request's may go. */
  encodeCommand(caller: Principal | undefined, request: Request): Uint8Array {
    const call = create(ServiceCallSchema, {
      caller: caller
        ? { user: fromHex(caller.user), device: fromHex(caller.device) }
        : { user: new Uint8Array(), device: new Uint8Array() },
      request,
    });
    return toBinary(ServiceCallSchema, call);
  }

  /** What the service answers to a client's request. */
  async command(service: "keyserver" | "media", call: Uint8Array): Promise<Response> {
    const subject = service === "keyserver" ? subjects.keyserverCommand : subjects.mediaCommand;
    const answer = await this.#ask(subject, call, commandAttemptsMs);
    return fromBinary(ResponseSchema, answer);
  }

  /** Who logs in? Undefined where nobody knows the device. */
  async device(device: DeviceId): Promise<DeviceFacts | undefined> {
    const answer = await this.#call(
      subjects.keyserverDevice,
      DeviceRequestSchema,
      DeviceResponseSchema,
      {
        device: fromHex(device),
      },
    );
    if (!answer.known) return undefined;
    return {
      user: parseUserId(answer.user),
      authKey: answer.authKey,
      revoked: answer.revoked,
      disabled: answer.disabled,
      directorySize: answer.directorySize,
      keyPackagesLeft: answer.keyPackagesLeft,
    };
  }

  /** Rosters of all rooms that the user is in. */
  async rooms(user: UserId): Promise<readonly Roster[]> {
    const answer = await this.#call(
      subjects.keyserverRooms,
      RoomsRequestSchema,
      RoomsResponseSchema,
      {
        user: fromHex(user),
      },
    );
    return answer.rosters.map((roster) => rosterFromMessage(roster));
  }

  /** Undefined where there is no such room. */
  async roster(room: RoomId): Promise<Roster | undefined> {
    const answer = await this.#call(
      subjects.keyserverRoster,
      RosterRequestSchema,
      RosterResponseSchema,
      {
        room: fromHex(room),
      },
    );
    return answer.roster && rosterFromMessage(answer.roster);
  }

  /** What changed since `request` was answered last. */
  confirm(request: MessageInitShape<typeof ConfirmRequestSchema>): Promise<ConfirmResponse> {
    return this.#call(
      subjects.keyserverConfirm,
      ConfirmRequestSchema,
      ConfirmResponseSchema,
      request,
    );
  }

  /** The server identity key, and its signature over this certificate key. */
  certify(spkiSha256: Uint8Array): Promise<CertifyResponse> {
    return this.#call(subjects.keyserverCertify, CertifyRequestSchema, CertifyResponseSchema, {
      spkiSha256,
    });
  }

  /** Those of `users` who are not offline. */
  async presence(users: readonly UserId[]): Promise<readonly PresenceEntry[]> {
    const answer = await this.#call(
      subjects.presenceSnapshot,
      PresenceSnapshotRequestSchema,
      PresenceSnapshotResponseSchema,
      { users: users.map((user) => fromHex(user)) },
    );
    return answer.entries;
  }

  async #call<Question extends DescMessage, Answer extends DescMessage>(
    subject: string,
    question: Question,
    answer: Answer,
    body: MessageInitShape<Question>,
  ): Promise<MessageShape<Answer>> {
    const bytes = toBinary(question, create(question, body));
    return fromBinary(answer, await this.#ask(subject, bytes, callAttemptsMs));
  }

  async #ask(
    subject: string,
    bytes: Uint8Array,
    attemptsMs: readonly number[],
  ): Promise<Uint8Array> {
    let late: unknown;
    for (const timeoutMs of attemptsMs) {
      try {
        return await this.#bus.request(subject, bytes, { timeoutMs });
      } catch (error) {
        if (!(error instanceof BusError && error.code === "TIMEOUT")) throw error;
        late = error;
      }
    }
    throw late;
  }
}
