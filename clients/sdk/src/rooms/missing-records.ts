import { create } from "@bufbuild/protobuf";
import type { Roster } from "@sotto/identity";
import {
  type DeviceId,
  type Envelope,
  fromHex,
  RecordKind,
  type Record as RecordMessage,
  RecordSchema,
  type RoomId,
  SottoError,
  toHex,
} from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import { mayPass, SottoClientError } from "../errors.ts";
import type { HandshakeStep } from "./handshake-step.ts";
import { type ChainRecord, chainBehind, follows, handshakeAt } from "./room-chain.ts";
import type { RoomContext } from "./room-context.ts";
import { type RoomState, rewind } from "./room-state.ts";

/** Records that are asked for one by one; of more the log is read once more. */
const chainRecordsMax = 64;

/** A record follows one that this device was not given, or was given another way: the room is to be read once more. */
export class RecordsMissing extends Error {
  override readonly name = "RecordsMissing";
  /** Sequence of the record that follows. */
  readonly sequence: number;
  /** The records up to it that the server showed when it was asked for them, the oldest first. */
  readonly shown: readonly ChainRecord[];

  constructor(sequence: number, shown: readonly ChainRecord[]) {
    super("the server held back records of this room");
    this.sequence = sequence;
    this.shown = shown;
  }
}

/**
 * Looks whether a record that cannot follow what this device knows of the room follows records that this device lacks.
 * Throws `RecordsMissing` where they lead by their hashes from the last record that it followed to this one; and once
 * where a member says that there are such, and the server does not show them. Whoever commits may name any record: by
 * a name alone nobody is led away.
 */
export async function lookForMissing(step: HandshakeStep, record: ChainRecord): Promise<void> {
  const { context, connection, state, sequence, readAgain } = step;
  const { roster, followed } = state;
  if (!roster || readAgain) return;
  const names = !follows(roster, record.envelope);
  const byMember = isOf(followed ?? roster, record.envelope);
  if (!names && !(followed && byMember)) return;
  const shown = await shownBehind(context, connection, followed ?? roster, record);
  if (shown) throw new RecordsMissing(sequence, shown);
  if (byMember && !followed) throw new RecordsMissing(sequence, []);
}

function isOf({ devices }: Roster, { committer }: Envelope): boolean {
  return devices.has(toHex(committer?.device ?? new Uint8Array()) as DeviceId);
}

/** What the server shows, when it is asked, of the records that were not followed up to one that it speaks of. */
export async function shownUpTo(
  context: RoomContext,
  connection: Connection,
  { room, roster, followed }: RoomState,
  sequence: number,
): Promise<readonly ChainRecord[]> {
  const known = followed ?? roster;
  if (!known || known.foldedTo >= sequence) return [];
  try {
    const newest = await handshakeAt(context, connection, room, sequence);
    return (await shownBehind(context, connection, known, newest)) ?? [];
  } catch (error) {
    if (isAnswer(error)) return [];
    throw error;
  }
}

async function shownBehind(
  context: RoomContext,
  connection: Connection,
  roster: Roster,
  newest: ChainRecord,
): Promise<readonly ChainRecord[] | undefined> {
  try {
    const known = { room: roster.room, sequence: roster.foldedTo };
    const records = await chainBehind(context, connection, newest, known, chainRecordsMax);
    return follows(roster, (records[0] ?? newest).envelope) ? records : undefined;
  } catch (error) {
    if (isAnswer(error)) return undefined;
    throw error;
  }
}

/** The server does not show them, or others; any other failure may pass. */
function isAnswer(error: unknown): boolean {
  if (error instanceof SottoError) return !mayPass(error);
  return (
    error instanceof SottoClientError &&
    (error.code === "SERVER_MISBEHAVED" || error.code === "REFUSED")
  );
}

/** A room's handshake records that its subscription left out, each to be taken in its place. */
export class MissingRecords {
  #connection: Connection | undefined;
  #shown: readonly ChainRecord[] = [];
  #next = 0;
  #readTo = 0;

  /** The room is subscribed. On a new connection it is read from the last record on that was followed. */
  subscribing(connection: Connection, state: RoomState): void {
    this.#next = 0;
    if (connection === this.#connection) return;
    this.#connection = connection;
    this.#shown = [];
    this.#readTo = 0;
    // A commit that is on its way may be won by a record behind them.
    if (state.followed && !state.pending && state.given.length === 0) rewind(state);
  }

  /** The room is to be read once more, with what the server shows of it otherwise. */
  found({ sequence, shown }: RecordsMissing, state: RoomState): void {
    this.#readTo = sequence;
    this.#shown = shown;
    this.#next = 0;
    rewind(state);
  }

  /** True where what is missing before the record at this place was looked for, and the room read once more. */
  readAgain(sequence: number): boolean {
    return sequence <= this.#readTo;
  }

  /** A record that comes, behind those that are missing before it. */
  inPlace(record: RecordMessage, room: RoomId): RecordMessage[] {
    const due: RecordMessage[] = [];
    for (let next = this.#shown[this.#next]; next; next = this.#shown[++this.#next]) {
      if (next.sequence > Number(record.sequence)) break;
      due.push(
        create(RecordSchema, {
          room: fromHex(room),
          sequence: BigInt(next.sequence),
          kind: RecordKind.HANDSHAKE,
          data: next.data,
        }),
      );
    }
    return due.at(-1)?.sequence === record.sequence ? due : [...due, record];
  }
}
