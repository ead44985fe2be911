import type { Clock } from "@sotto/clock";
import { type ActorOptions, type ActorRef, spawn } from "./actor.ts";

export interface SupervisedOptions<Message>
  extends Omit<ActorOptions<Message>, "handle" | "stopped"> {
  /** Makes the handler anew for every life: what a crash may have broken is not kept. */
  begin(): (message: Message) => void | Promise<void>;
  /** More crashes than this within `windowMs` end the actor for good. */
  readonly restartsMax: number;
  readonly windowMs: number;
  readonly clock: Clock;
  /** Told of every crash; `gaveUp` where it was the last one. */
  crashed?(error: unknown, gaveUp: boolean): void;
}

/**
 * An actor that begins anew after a crash, with an empty mailbox: what waited is lost with the life that it
 * was sent to. It gives up where crashes come too often.
 */
export function supervise<Message>(options: SupervisedOptions<Message>): ActorRef<Message> {
  const crashes: number[] = [];
  let over = false;
  let life = begin();

  function begin(): ActorRef<Message> {
    return spawn({
      name: options.name,
      mailboxMax: options.mailboxMax,
      onFull: options.onFull,
      handle: options.begin(),
      stopped: (error) => {
        if (over || error === undefined) return;
        const now = options.clock.monotonic();
        crashes.push(now);
        while (crashes[0] !== undefined && now - crashes[0] > options.windowMs) crashes.shift();
        over = crashes.length > options.restartsMax;
        options.crashed?.(error, over);
        if (!over) life = begin();
      },
    });
  }

  return {
    name: options.name,
    tell: (message) => life.tell(message),
    stop() {
      over = true;
      life.stop();
    },
    get running() {
      return life.running;
    },
    async [Symbol.asyncDispose]() {
      over = true;
      await life[Symbol.asyncDispose]();
    },
  };
}
