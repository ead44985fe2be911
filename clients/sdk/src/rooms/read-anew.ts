import { decodeEnvelope } from "@sotto/identity";
import { toHex, toSafeNumber } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import { loseStep } from "./lose-step.ts";
import type { RoomState } from "./room-state.ts";

/**
 * A room's log that is read from its beginning because the server replaced it. Where it ends before what this
 * device has followed, the server was set back: the device comes back into the group of that time, unless
 * somebody is in it who is not in the room any more.
 */
export class ReadAnew {
  /** Begins. What the state says then begins it again where the process ends before the log is read. */
  static begin(state: RoomState): ReadAnew {
    Object.assign(state, { incarnation: "", cursor: 0, cursorSha256: "", readAnew: true });
    return new ReadAnew();
  }

  #last: { readonly sequence: number; readonly sha256: string; readonly epoch: number } | undefined;

  /** A handshake record of the log. */
  async take(sequence: number, data: Uint8Array): Promise<void> {
    try {
      const epoch = toSafeNumber(decodeEnvelope(data).epoch);
      this.#last = { sequence, sha256: toHex(await sha256(data)), epoch };
    } catch {
      // One that cannot be read is passed over by everybody.
    }
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
