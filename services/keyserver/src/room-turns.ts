import { Serial } from "@sotto/actor";
import { ErrorCode, type RoomId, SottoError } from "@sotto/protocol";

/** Lets commits of one room be judged one after another; those of other rooms go on beside them. */
export class RoomTurns {
  readonly #waitingMax: number;
  readonly #rooms = new Map<RoomId, Serial>();

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  /** Runs `task` in the room's turn. Rejects with `SottoError` BUSY where too many wait. */
  async run<Result>(room: RoomId, task: () => Promise<Result>): Promise<Result> {
    const turn = this.#rooms.get(room) ?? new Serial();
    if (turn.size >= this.#waitingMax)
      throw new SottoError(ErrorCode.BUSY, "the room has too many commits waiting");
    this.#rooms.set(room, turn);
    try {
      return await turn.run(task);
    } finally {
      if (turn.size === 0) this.#rooms.delete(room);
    }
  }
}
