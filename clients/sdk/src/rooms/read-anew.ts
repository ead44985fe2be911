import { committerOf, leaves, type Roster, type RosterDevice } from "@sotto/identity";
import { type DeviceId, type Envelope, EnvelopeKind, toHex, toSafeNumber } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import { judgeRecord, type RecordPlace } from "./judge-record.ts";
import { loseStep } from "./lose-step.ts";
import { type RoomState, rewind } from "./room-state.ts";

/**
 * A room's log that is read from its beginning because the server replaced it. Where it lacks what this device has
 * followed, the server was set back: the device comes back into the group of that log, unless somebody is in it who
 * is not in the room any more.
 */
export class ReadAnew {
  /** Begins. What the state says then begins it again where the process ends before the log is read. */
  static begin(state: RoomState): ReadAnew {
    rewind(state);
    Object.assign(state, { incarnation: "", cursor: 0, cursorSha256: "", readAnew: true });
    state.toldTo = 0;
    state.reading += 1;
    return new ReadAnew(state.roster);
  }

  /** What this device has followed to. */
  readonly #followed: Roster | undefined;
  /** Whom records of the log let in that this device did not know of. */
  readonly #came = new Map<DeviceId, RosterDevice>();
  /** The log holds the record that this device has followed to. */
  #same = false;
  #last: { readonly sequence: number; readonly sha256: string; readonly epoch: number } | undefined;

  private constructor(followed: Roster | undefined) {
    this.#followed = followed;
  }

  /** A handshake record of the log. True where it follows others than this device did, which cannot follow it. */
  async take(step: RecordPlace, data: Uint8Array): Promise<boolean> {
    const { state, sequence } = step;
    const hash = toHex(await sha256(data));
    const { foldedTo = sequence, headHash } = this.#followed ?? {};
    if (sequence === foldedTo && hash === headHash) this.#same = true;
    // One that cannot be read is passed over by everybody.
    const { envelope } = await judgeRecord(step, data);
    if (envelope) {
      this.#last = { sequence, sha256: hash, epoch: toSafeNumber(envelope.epoch) };
      this.#noteComers(envelope, sequence);
    }
    return state.phase === "active" && sequence > foldedTo && !this.#same;
  }

  /** Only whom a member let in, and nobody who had left when this device knew the room last. */
  #noteComers(envelope: Envelope, entered: number): void {
    const followed = this.#followed;
    if (!followed) return;
    const known = new Map([...followed.devices, ...this.#came]);
    const by = committerOf(envelope);
    const own = [...known.values()].some(({ user }) => user === by.user);
    const comes = envelope.kind === EnvelopeKind.REJOIN && own ? [by] : [];
    for (const leaf of known.has(by.device) ? leaves(envelope.added) : comes)
      if (!known.has(leaf.device) && !followed.former.includes(leaf.user))
        this.#came.set(leaf.device, { ...leaf, entered });
  }

  /** The log was read to its head. */
  settle(state: RoomState): void {
    state.readAnew = false;
    const { roster, phase } = state;
    if (!this.#last || !roster || phase !== "active" || this.#last.sha256 === roster.headHash)
      return;
    const { sequence: foldedTo, sha256: headHash, epoch } = this.#last;
    const devices = new Map([...this.#came, ...roster.devices]);
    state.roster = { ...roster, devices, foldedTo, headHash, epoch };
    state.resets += 1;
    state.policies = [];
    state.epochSeen = 0;
    state.skipped = [];
    loseStep(state, "the server's copy of this room is older than what this device has seen");
  }
}
