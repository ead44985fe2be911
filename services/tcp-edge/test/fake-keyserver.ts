import { createHash, randomBytes } from "node:crypto";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Bus } from "@sotto/bus";
import {
  decodeEnvelope,
  foldRoster,
  generateEd25519,
  hasUser,
  type Roster,
  rosterToMessage,
  type Signer,
  signerFromSeed,
} from "@sotto/identity";
import * as internal from "@sotto/interservice";
import type { Log, Topic } from "@sotto/log";
import {
  certificateInput,
  type DeviceId,
  EnvelopeKind,
  EnvelopeSchema,
  fromHex,
  parseDeviceId,
  parseRoomId,
  parseUserId,
  ResponseSchema,
  type RoomId,
  RoomPolicySchema,
  SignedEnvelopeSchema,
  toHex,
  type UserId,
} from "@sotto/protocol";

/** A device that the fake keyserver knows, with the key of its logins. */
export interface TestDevice {
  readonly user: UserId;
  readonly device: DeviceId;
  readonly auth: Signer;
}

/** The keyserver as an edge sees it: devices, rosters that follow the log, confirmations. */
export class FakeKeyserver {
  readonly #bus: Bus;
  readonly #log: Log;
  readonly #devices = new Map<DeviceId, TestDevice & { revoked: boolean }>();
  readonly #rosters = new Map<RoomId, Roster>();
  readonly changes: MessageInitShape<typeof internal.RosterChangeSchema>[] = [];
  readonly revoked: Uint8Array[] = [];
  /** Its store was seen to hold other records than it took. */
  altered = false;
  /** Answers nothing while true. */
  silent = false;
  /** Commits are not hinted at, only confirmed. */
  hints = true;
  /** What every request that is handed on is answered with. */
  answer: NonNullable<MessageInitShape<typeof ResponseSchema>["body"]> = {
    case: "roomList",
    value: {},
  };
  #identity: Signer | undefined;

  constructor(bus: Bus, log: Log) {
    this.#bus = bus;
    this.#log = log;
  }

  async serve(): Promise<void> {
    const identity = await signerFromSeed((await generateEd25519()).seed);
    this.#identity = identity;
    const { subjects } = internal;
    await this.#answer(
      subjects.keyserverCertify,
      internal.CertifyRequestSchema,
      internal.CertifyResponseSchema,
      async ({ spkiSha256 }) => {
        const [notBeforeMs, notAfterMs] = [0, 4_000_000_000_000];
        const signature = await identity.sign(
          certificateInput({ spkiSha256, notBeforeMs, notAfterMs }),
        );
        const proof = { spkiSha256, notBeforeMs: 0n, notAfterMs: BigInt(notAfterMs), signature };
        return { serverKey: identity.publicKey, proof };
      },
    );
    await this.#answer(
      subjects.keyserverDevice,
      internal.DeviceRequestSchema,
      internal.DeviceResponseSchema,
      async ({ device }) => {
        const known = this.#devices.get(parseDeviceId(device));
        if (!known) return { known: false };
        return {
          known: true,
          user: fromHex(known.user),
          authKey: known.auth.publicKey,
          revoked: known.revoked,
        };
      },
    );
    await this.#answer(
      subjects.keyserverRooms,
      internal.RoomsRequestSchema,
      internal.RoomsResponseSchema,
      async ({ user }) => ({
        rosters: [...this.#rosters.values()]
          .filter((roster) => hasUser(roster, parseUserId(user)))
          .map(rosterToMessage),
      }),
    );
    await this.#answer(
      subjects.keyserverRoster,
      internal.RosterRequestSchema,
      internal.RosterResponseSchema,
      async ({ room }) => {
        const roster = this.#rosters.get(parseRoomId(room));
        return roster ? { roster: rosterToMessage(roster) } : {};
      },
    );
    await this.#answer(
      subjects.keyserverConfirm,
      internal.ConfirmRequestSchema,
      internal.ConfirmResponseSchema,
      async ({ cursor }) => ({
        incarnation: new Uint8Array([1]),
        cursor: BigInt(this.changes.length),
        changes: this.changes.slice(Number(cursor)),
        revokedDevices: this.revoked,
        directorySize: 1n,
        altered: this.altered,
      }),
    );
    await this.#bus.serve(
      subjects.keyserverCommand,
      async () => toBinary(ResponseSchema, create(ResponseSchema, { body: this.answer })),
      { queue: "keyserver" },
    );
  }

  async newDevice(user = parseUserId(randomBytes(16))): Promise<TestDevice> {
    const auth = await signerFromSeed((await generateEd25519()).seed);
    const device = { user, device: parseDeviceId(randomBytes(16)), auth, revoked: false };
    this.#devices.set(device.device, device);
    return device;
  }

  revoke(device: DeviceId): void {
    const known = this.#devices.get(device);
    if (known) known.revoked = true;
    this.revoked.push(fromHex(device));
  }

  roster(room: RoomId): Roster {
    const roster = this.#rosters.get(room);
    if (!roster) throw new Error("no such room");
    return roster;
  }

  /** A room with these devices. */
  async newRoom(...devices: readonly TestDevice[]): Promise<RoomId> {
    const room = parseRoomId(randomBytes(16));
    const [first, ...others] = devices;
    if (!first) throw new Error("a room has a creator");
    await this.commit(room, EnvelopeKind.CREATE, first, {});
    if (others.length > 0) await this.commit(room, EnvelopeKind.ADD, first, { added: others });
    return room;
  }

  /** Writes a handshake record as the keyserver would. Answers its sequence. */
  async commit(
    room: RoomId,
    kind: EnvelopeKind,
    committer: TestDevice,
    change: { added?: readonly TestDevice[]; removed?: readonly TestDevice[] },
  ): Promise<number> {
    const before = this.#rosters.get(room);
    const leaf = ({ user, device }: TestDevice) => ({
      user: fromHex(user),
      device: fromHex(device),
    });
    const envelope = toBinary(
      EnvelopeSchema,
      create(EnvelopeSchema, {
        version: 1,
        room: fromHex(room),
        previousSequence: BigInt(before?.foldedTo ?? 0),
        epoch: BigInt(before ? before.epoch + 1 : 0),
        kind,
        committer: leaf(committer),
        added: (change.added ?? []).map(leaf),
        removed: (change.removed ?? []).map(leaf),
        policy:
          kind === EnvelopeKind.CREATE
            ? toBinary(RoomPolicySchema, create(RoomPolicySchema))
            : new Uint8Array(),
      }),
    );
    const signed = create(SignedEnvelopeSchema, { envelope, signature: new Uint8Array(64) });
    const data = toBinary(SignedEnvelopeSchema, signed);
    const sha256 = createHash("sha256").update(data).digest("hex");
    const topic = room as string as Topic;
    const expectHandshake = before?.foldedTo ?? 0;
    const { position } = await this.#log.append({
      topic,
      kind: "h",
      key: sha256,
      expectHandshake,
      data,
    });
    const after = foldRoster(before, decodeEnvelope(data), position.sequence, sha256);
    this.#rosters.set(room, after);
    const users = [...(change.added ?? []), ...(change.removed ?? [])].map(({ user }) =>
      fromHex(user),
    );
    const hint = { room: fromHex(room), handshake: BigInt(position.sequence), users };
    this.changes.push(hint);
    if (this.hints) {
      const message = create(internal.RosterChangeSchema, hint);
      this.#bus.publish(
        internal.subjects.hintRoster,
        toBinary(internal.RosterChangeSchema, message),
      );
    }
    return position.sequence;
  }

  get serverKey(): string {
    return toHex(this.#identity?.publicKey ?? new Uint8Array());
  }

  async #answer<Question extends DescMessage, Answer extends DescMessage>(
    subject: string,
    question: Question,
    answer: Answer,
    work: (question: ReturnType<typeof fromBinary<Question>>) => Promise<MessageInitShape<Answer>>,
  ): Promise<void> {
    await this.#bus.serve(
      subject,
      async ({ data }) => {
        if (this.silent) throw new Error("silent");
        return toBinary(answer, create(answer, await work(fromBinary(question, data))));
      },
      { queue: "keyserver" },
    );
  }
}
