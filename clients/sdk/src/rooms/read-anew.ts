import { decodeEnvelope, type Roster } from "@sotto/identity";
import { toHex, toSafeNumber } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import { loseStep } from "./lose-step.ts";
import type { RoomState } from "./room-state.ts";

/**
 * A room's log that is read from its beginning because the server replaced it. Where it lacks what this device has
 * followed, the server was set back: the device comes back into the group of that log, unless somebody is in it who
 * is not in the room any more.
 */
export class ReadAnew {
  /** Begins. What the state says then begins it again where the process ends before the log is read. */
  static begin(state: RoomState): ReadAnew {
    Object.assign(state, { incarnation: "", cursor: 0, cursorSha256: "", readAnew: true });
    return new ReadAnew(state.roster);
  }

  /** What this device has followed to. */
  readonly #followed: Pick<Roster, "foldedTo" | "headHash"> | undefined;
  /** The log holds the record that this device has followed to. */
  #same = false;
  #last: { readonly sequence: number; readonly sha256: string; readonly epoch: number } | undefined;

  private constructor(followed: Roster | undefined) {
    this.#followed = followed && { foldedTo: followed.foldedTo, headHash: followed.headHash };
  }

  /** A handshake record of the log. True where it follows others than this device did, which cannot follow it. */
  async take({ phase }: RoomState, sequence: number, data: Uint8Array): Promise<boolean> {
    const hash = toHex(await sha256(data));
    const { foldedTo = sequence, headHash } = this.#followed ?? {};
    if (sequence === foldedTo && hash === headHash) this.#same = true;
    try {
      this.#last = { sequence, sha256: hash, epoch: toSafeNumber(decodeEnvelope(data).epoch) };
    } catch {
      // One that cannot be read is passed over by everybody.
    }
    return phase === "active" && sequence > foldedTo && !this.#same;
  }

  /** The log was read to its head. */
  settle(state: RoomState): void {
    state.readAnew = false;
    const { roster, phase } = state;
    if (!this.#last || !roster || phase !== "active" || this.#last.sha256 === roster.headHash)
      return;
    const { sequence: foldedTo, sha256: headHash, epoch } = this.#last;
    state.roster = { ...roster, foldedTo, headHash, epoch };
    state.policies = [];
    state.epochSeen = 0;
    state.skipped = [];
    loseStep(state, "the server's copy of this room is older than what this device has seen");
  }
}
