import { create, toBinary } from "@bufbuild/protobuf";
import { decodeEnvelope, sha256, signEnvelope, signerFromSeed } from "@sotto/identity";
import { createMls, type Group } from "@sotto/mls";
import {
  AppendedSchema,
  EnvelopeKind,
  EnvelopeSchema,
  EventSchema,
  fromHex,
  HistoryPolicy,
  RecordKind,
  type Record as RecordMessage,
  RecordSchema,
  type RoomId,
  RoomPolicySchema,
  StoredMessageSchema,
  SubscribedSchema,
  toHex,
} from "@sotto/protocol";
import { loadProfile, type Profile } from "@sotto/sdk";
import type { Joined } from "../../scenarios/world.ts";
import type { HostileWorld } from "./hostile-world.ts";
import { textsOpened } from "./spy.ts";
import { type Tampering, Wire } from "./wire.ts";

/** One-time KeyPackages that a person's device publishes, as the server sees them. */
export class KeyPackagesSeen {
  readonly all: Uint8Array[] = [];

  tampering(): Tampering {
    return {
      request: (body) => {
        if (body.case === "publishKeyPackages") this.all.push(...body.value.oneTime);
        return undefined;
      },
    };
  }

  wire(): Wire {
    return new Wire(this.tampering());
  }
}

interface Invited {
  readonly profile: Profile;
  readonly keyPackages: KeyPackagesSeen;
}

/** Where the server says that a made-up room stands. */
const shownAt = 50n;
const incarnation = new Uint8Array(8).fill(7);

/** A room under some room's id that a stranger begins, with people in it who know nothing of it. */
export class MadeUpRoom {
  readonly #room: RoomId;
  readonly #spy: Group;
  readonly #record: RecordMessage;
  readonly #said: RecordMessage[] = [];

  private constructor(room: RoomId, spy: Group, record: RecordMessage) {
    this.#room = room;
    this.#spy = spy;
    this.#record = record;
  }

  /** `stranger` has an account of the server, and its help. `after`: the true room's last change, where it shall follow that. */
  static async by(
    stranger: Joined,
    hostile: HostileWorld,
    room: RoomId,
    invited: readonly Invited[],
    after?: RecordMessage,
  ): Promise<MadeUpRoom> {
    const profile = await loadProfile(stranger.store);
    if (!profile) throw new Error("the stranger has no profile");
    const { user, device, secrets, suite } = profile;
    const directory = await hostile.directory();
    const admins = invited.map((one) => fromHex(one.profile.user));
    const policy = create(RoomPolicySchema, { admins, history: HistoryPolicy.ALL });
    const { publicKey } = await signerFromSeed(secrets.mls);
    const spy = await createMls({ suite, now: Date.now }).createGroup({
      room: fromHex(room),
      identity: { user, device, recordHash: fromHex(directory.device(device)?.recordHash ?? "") },
      signatureKey: { publicKey, privateKey: secrets.mls },
      policy: toBinary(RoomPolicySchema, policy),
    });
    const packages = invited.map(({ keyPackages }) => keyPackages.all.at(-1) ?? new Uint8Array());
    const staged = await spy.stageAdd(packages, () => true);
    await spy.confirm(staged.serialise());
    const part = (inline: Uint8Array = new Uint8Array()) => ({ inline, bytes: inline.length });
    const leaf = (one: Pick<Profile, "user" | "device">) => ({
      user: fromHex(one.user),
      device: fromHex(one.device),
    });
    const envelope = create(EnvelopeSchema, {
      version: 1,
      room: fromHex(room),
      previousSequence: after?.sequence ?? 1n,
      previousSha256: after ? await sha256(after.data) : new Uint8Array(32),
      epoch: after ? decodeEnvelope(after.data).epoch + 1n : 1n,
      kind: EnvelopeKind.ADD,
      committer: leaf({ user, device }),
      added: invited.map((one) => leaf(one.profile)),
      directorySize: BigInt(directory.size),
      commit: part(staged.commit),
      welcome: part(staged.welcome),
      groupInfo: part(staged.groupInfo),
      tree: part(staged.tree),
    });
    const data = await signEnvelope(
      toBinary(EnvelopeSchema, envelope),
      await signerFromSeed(secrets.sign),
    );
    const record = create(RecordSchema, {
      room: fromHex(room),
      sequence: shownAt,
      kind: RecordKind.HANDSHAKE,
      handshake: shownAt,
      data,
    });
    return new MadeUpRoom(room, spy, record);
  }

  /** The victim is let in, and whatever it says in the room is kept. No commit of it arrives. */
  show(wire: Wire, also: Tampering = {}): void {
    wire.tampering = {
      ...also,
      request: (body, line) => {
        if (body.case === "commit") return "lost";
        if (body.case === "subscribe" && toHex(body.value.room) === this.#room) {
          setTimeout(() => line.record(this.#record), 100);
          const value = { incarnation, head: shownAt, from: shownAt };
          return { answer: { case: "subscribed", value: create(SubscribedSchema, value) } };
        }
        if (body.case === "append" && toHex(body.value.room) === this.#room)
          return { answer: this.#keep(body.value.sealed) };
        return also.request?.(body, line);
      },
    };
    const value = { room: fromHex(this.#room), sequence: shownAt };
    for (const line of wire.lines)
      line.event(create(EventSchema, { body: { case: "roomEntered", value } }));
  }

  /** What the stranger reads. */
  async overheard(): Promise<readonly string[]> {
    return await textsOpened(this.#spy, this.#said);
  }

  #keep(sealed: Uint8Array) {
    const data = toBinary(StoredMessageSchema, create(StoredMessageSchema, { sealed }));
    this.#said.push(create(RecordSchema, { kind: RecordKind.MESSAGE, data }));
    const sequence = shownAt + BigInt(this.#said.length);
    const value = create(AppendedSchema, { position: { sequence, incarnation } });
    return { case: "appended" as const, value };
  }
}
