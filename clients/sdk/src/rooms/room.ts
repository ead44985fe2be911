import type { Content } from "@sotto/protocol/content";
import type { Connection } from "../connection/connection.ts";
import { isConnectionLoss } from "../errors.ts";
import { AskAgain } from "./ask-again.ts";
import { Committer } from "./committer.ts";
import { rejoin } from "./rejoin.ts";
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
  #rejoining = false;

  constructor(replica: RoomReplica) {
    this.replica = replica;
    this.sender = new Sender(replica);
    this.committer = new Committer(replica);
    this.upkeep = new Upkeep(this);
    this.asking = new AskAgain(replica, () => this.sender.wake());
    replica.onReplies = () => this.sender.wake();
    this.sender.onRevokedLeaf = () => this.upkeep.wake();
    replica.onAdvanced = () => this.#advanced();
  }

  /** A new connection is there, or the room was just entered. */
  async resume(connection: Connection): Promise<void> {
    await this.replica.subscribe(connection);
    this.sender.wake();
    this.upkeep.wake();
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
    if (this.replica.state.phase === "lost" && this.replica.caughtUp) void this.#comeBack();
    this.asking.wake();
  }

  async #comeBack(): Promise<void> {
    if (this.#rejoining || this.replica.context.directory.refusal()) return;
    this.#rejoining = true;
    const { context } = this.replica;
    try {
      const connection = await context.online(30_000, context.signal);
      if (await rejoin(this.replica, this.committer, connection)) this.sender.wake();
    } catch (error) {
      if (!isConnectionLoss(error) && !context.signal.aborted) {
        context.notice(
          this.replica.room,
          `this device could not come back into the room: ${String(error)}`,
        );
      }
    } finally {
      this.#rejoining = false;
    }
  }
}
