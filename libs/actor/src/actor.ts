/** What an actor does when its mailbox is full. */
export type FullMailbox =
  /** The message is not taken: `tell` answers false. */
  | "reject"
  /** The actor stops, as after a crash, without one being reported. */
  | "stop";

export interface ActorOptions<Message> {
  /** For logs. */
  readonly name: string;
  /** Messages that wait behind the one in hand. */
  readonly mailboxMax: number;
  readonly onFull: FullMailbox;
  /** Handles one message; the next begins when it returned or its promise settled. */
  handle(message: Message): void | Promise<void>;
  /** Called once, when the actor is over: after `stop`, a crash (with its error) or a full mailbox. */
  stopped?(error: unknown): void;
}

/** The way to an actor. */
export interface ActorRef<Message> extends AsyncDisposable {
  readonly name: string;
  /** Hands a message over; answers false where the actor is over or its mailbox is full. Never throws. */
  tell(message: Message): boolean;
  /** Ends the actor; what waits is discarded. The message in hand is finished. Idempotent. */
  stop(): void;
  readonly running: boolean;
}

/**
 * An owner with a mailbox: one message at a time, in the order in which they were told. A handler that
 * throws ends its own actor and nobody else. A message to an idle actor is handled at once, within `tell`.
 */
export function spawn<Message>(options: ActorOptions<Message>): ActorRef<Message> {
  return new Actor(options);
}

class Actor<Message> implements ActorRef<Message> {
  readonly #options: ActorOptions<Message>;
  readonly #mailbox: Message[] = [];
  #busy = false;
  #over = false;
  #idle: (() => void)[] = [];

  constructor(options: ActorOptions<Message>) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get running(): boolean {
    return !this.#over;
  }

  tell(message: Message): boolean {
    if (this.#over) return false;
    if (this.#busy) return this.#enqueue(message);
    this.#busy = true;
    this.#drain(message);
    return true;
  }

  stop(): void {
    this.#end(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    if (this.#busy) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #enqueue(message: Message): boolean {
    if (this.#mailbox.length < this.#options.mailboxMax) {
      this.#mailbox.push(message);
      return true;
    }
    if (this.#options.onFull === "stop") this.stop();
    return false;
  }

  /** Handles messages until none waits, without a turn of the event loop while handlers are synchronous. */
  #drain(first: Message): void {
    let message: Message | undefined = first;
    while (message !== undefined) {
      let handled: void | Promise<void>;
      try {
        handled = this.#options.handle(message);
      } catch (error) {
        this.#end(error);
        break;
      }
      if (handled) {
        handled.then(
          () => this.#next(),
          (error) => {
            this.#end(error);
            this.#rest();
          },
        );
        return;
      }
      message = this.#over ? undefined : this.#mailbox.shift();
    }
    this.#rest();
  }

  #next(): void {
    const message = this.#over ? undefined : this.#mailbox.shift();
    if (message === undefined) this.#rest();
    else this.#drain(message);
  }

  #rest(): void {
    this.#busy = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #end(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#mailbox.length = 0;
    this.#options.stopped?.(error);
  }
}
