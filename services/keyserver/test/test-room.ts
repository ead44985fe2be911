import { toBinary } from "@bufbuild/protobuf";
import { foldRoster, sha256Hex, signEnvelope } from "@sotto/identity";
import {
  type Envelope,
  EnvelopeKind,
  EnvelopeSchema,
  fromHex,
  parseRoomId,
  type RoomId,
  type Roster,
  toSafeNumber,
} from "@sotto/protocol";
import {
  randomBytes,
  type TestDevice,
  type TestPerson,
} from "../../../libs/identity/test/person.ts";
import { type EnvelopeChange, envelopeOf } from "../../../libs/identity/test/room.ts";
import type { Caller, TestReplica } from "./keyserver-world.ts";

export interface Change extends Omit<EnvelopeChange, "by"> {
  readonly by: TestPerson;
  readonly faults?: Partial<Envelope>;
}

/** Somebody's device as an envelope names it; the first one unless another is given. */
export function leaf(person: TestPerson, device: Pick<TestDevice, "id"> = person.first) {
  return { user: person.user, device: device.id };
}

/** A room as its members know it: they fold what the server accepted. */
export class ServedRoom {
  readonly room: RoomId;
  roster: ReturnType<typeof foldRoster> | undefined;

  constructor(room: RoomId = parseRoomId(randomBytes(16))) {
    this.room = room;
  }

  /** A room that `creator` made, with `members` in it. */
  static async begun(
    server: TestReplica,
    creator: TestPerson,
    ...members: readonly TestPerson[]
  ): Promise<ServedRoom> {
    const room = new ServedRoom();
    await room.commit(server, { kind: EnvelopeKind.CREATE, by: creator });
    if (members.length > 0)
      await room.commit(server, {
        kind: EnvelopeKind.ADD,
        by: creator,
        added: members.map((member) => leaf(member)),
      });
    return room;
  }

  /** A signed envelope that follows what this room knows. */
  async envelope({ by, faults, ...change }: Change) {
    const of = { ...change, by: leaf(by) };
    const envelope = envelopeOf(this.room, this.roster, of, faults);
    const data = await signEnvelope(toBinary(EnvelopeSchema, envelope), by.first.signer);
    return { envelope, data };
  }

  /** Commits and folds in. Answers the sequence; rejects as the server does. */
  async commit(server: TestReplica, change: Change): Promise<number> {
    const size = await directorySize(server, change.by);
    const { envelope, data } = await this.envelope({ directorySize: size, ...change });
    const { position } = await this.send(server, change.by, data);
    const sequence = toSafeNumber(position?.sequence ?? 0n);
    this.fold(envelope, sequence, await sha256Hex(data));
    return sequence;
  }

  /** Takes in a record that the server accepted. */
  fold(envelope: Envelope, sequence: number, sha256: string): void {
    this.roster = foldRoster(this.roster, envelope, sequence, sha256);
  }

  /** Sends bytes as an envelope of this room. */
  send(server: TestReplica, caller: Caller, envelope: Uint8Array) {
    const value = { room: fromHex(this.room), envelope };
    return server.ask(caller, { case: "commit", value }, "appended");
  }

  rosterSeenBy(server: TestReplica, caller: Caller): Promise<Roster> {
    const value = { room: fromHex(this.room) };
    return server.ask(caller, { case: "getRoster", value }, "roster");
  }
}

async function directorySize(server: TestReplica, caller: Caller): Promise<number> {
  const value = { from: 0n, limit: 1 };
  const page = await server.ask(caller, { case: "readDirectory", value }, "directoryPage");
  return toSafeNumber(page.size);
}
