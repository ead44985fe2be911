import type { Content } from "@sotto/protocol/content";
import type { Connection } from "../connection/connection.ts";
import { describe, isConnectionLoss } from "../errors.ts";
import { HistoryTelling } from "../history/history-telling.ts";
import { AskAgain } from "./ask-again.ts";
import { Committer } from "./committer.ts";
import { rejoin } from "./rejoin.ts";
import { rejoinsMax, rejoinWaitMs } from "./rejoin-limit.ts";
import type { RoomReplica } from "./room-replica.ts";
import { Sender, type Sent } from "./sender.ts";
import { Upkeep } from "./upkeep.ts";

/** One room of this device, with what works on it: sending, committing, upkeep, coming back. */
export class Room {
  readonly replica: RoomReplica;
  readonly sender: Sender;
  readonly committer: Committer;
  readonly upkeep: Upkeep;
  readonly asking: AskAgain;
  /** What was said before somebody came. */
  readonly telling: HistoryTelling;
  #rejoining = false;
  #toldToWait = false;
  #skipped = 0;
  #titleOwed = 0;

  constructor(replica: RoomReplica) {
    this.replica = replica;
    this.sender = new Sender(replica);
    this.committer = new Committer(replica);
    this.upkeep = new Upkeep(this);
    this.asking = new AskAgain(replica, () => this.sender.wake());
    this.telling = new HistoryTelling(this);
    replica.onReplies = () => this.sender.wake();
    this.sender.onRevokedLeaf = () => this.upkeep.wake();
    replica.onAdvanced = () => this.#advanced();
  }

  /** A new connection is there, or the room was just entered. */
  async resume(connection: Connection): Promise<void> {
    await this.replica.subscribe(connection);
    this.sender.wake();
    this.upkeep.wake();
    this.telling.wake();
  }

  /** Sends the room's title again, for those who came after it was sent. */
  async tellTitle(): Promise<Sent | undefined> {
    const { title } = this.replica.state;
    return title
      ? await this.say({ case: "title", value: { $typeName: "sotto.v1.RoomTitle", title } })
      : undefined;
  }

  async say(body: Content["body"], signal?: AbortSignal): Promise<Sent> {
    return await this.sender.send(body, signal);
  }

  #advanced(): void {
    const { state, caughtUp } = this.replica;
    if (state.phase === "lost" && caughtUp) void this.#comeBack();
    // A commit that names what was skipped, and by which others can come in again.
    if (state.skipped.length > this.#skipped) this.upkeep.wake();
    this.#skipped = state.skipped.length;
    if (state.titleOwed > this.#titleOwed) this.upkeep.wake();
    this.#titleOwed = state.titleOwed;
    // What the log was expected to show goes again.
    if (caughtUp) this.sender.wake();
    this.asking.wake();
    this.telling.wake();
  }

  async #comeBack(): Promise<void> {
    if (this.#rejoining || this.replica.context.directory.refusal() || this.#mustWait()) return;
    this.#rejoining = true;
    const { context } = this.replica;
    try {
      const connection = await context.online(30_000, context.signal);
      if (await rejoin(this.replica, this.committer, connection)) {
        this.sender.wake();
        this.upkeep.wake();
      }
    } catch (error) {
      if (!isConnectionLoss(error) && !context.signal.aborted) {
        context.notice(
          this.replica.room,
          `this device could not come back into the room: ${describe(error)}`,
        );
      }
    } finally {
      this.#rejoining = false;
    }
  }

  /** Coming back again and again helps nobody. */
  #mustWait(): boolean {
    const { context, state, room } = this.replica;
    const waitMs = rejoinWaitMs(state.rejoins, context.clock.now());
    if (waitMs === 0) {
      this.#toldToWait = false;
      return false;
    }
    if (!this.#toldToWait) {
      const minutes = Math.ceil(waitMs / 60_000);
      context.notice(
        room,
        `${state.lostBecause}, for the ${rejoinsMax + 1}th time within an hour; this device comes back in ${minutes} min`,
      );
      context.clock.after(waitMs, () => this.#advanced());
    }
    this.#toldToWait = true;
    return true;
  }
}
