import { type ActorRef, spawn, Turns } from "@sotto/actor";
import type { Timer } from "@sotto/clock";
import {
  CloseCode,
  ErrorCode,
  encodeClose,
  encodeHello,
  FrameDecoder,
  FrameError,
  PresenceState,
  type RoomId,
} from "@sotto/protocol";
import { failureOf } from "../failure.ts";
import type { Arrival } from "../listener/arrival.ts";
import type { Effect } from "../session/effect.ts";
import type { Input } from "../session/input.ts";
import { type ResponseBody, refusal } from "../session/response-body.ts";
import { newSession, type Principal, type Session } from "../session/session.ts";
import { step } from "../session/step.ts";
import { ArchiveEffects } from "./archive-effects.ts";
import type { Flushable } from "./flush-turn.ts";
import { ForwardEffects } from "./forward-effects.ts";
import { pingFrame } from "./frames.ts";
import { LoginEffects } from "./login-effects.ts";
import { MediaEffects } from "./media-effects.ts";
import { Outbox } from "./outbox.ts";
import type { EdgeParts } from "./parts.ts";
import { type EffectHands, perform } from "./perform.ts";
import type { ConnectionPort } from "./port.ts";
import { RoomEffects } from "./room-effects.ts";
import type { Wire } from "./wire.ts";

/** A client that does not take its last words is cut off after this long. */
const closeTimeoutMs = 2000;
const nonceBytes = 32;
/** Pages of the log that are read at a time. */
const readingsMax = 4;
/** Inputs that the effects of one input may leave behind. */
const mailboxMax = 1024;

/**
 * One client. Bytes become frames, frames and results become inputs of the session core, one at a
 * time, and its effects are performed. Whatever goes wrong in here ends this connection alone.
 */
export class Connection implements ConnectionPort, Flushable {
  readonly outbox: Outbox;
  readonly readings = new Turns(readingsMax);
  readonly #wire: Wire;
  readonly #arrival: Arrival;
  readonly #parts: EdgeParts;
  readonly #session: Session;
  readonly #decoder: FrameDecoder;
  readonly #rooms: RoomEffects;
  readonly #hands: EffectHands;
  readonly #gone = Promise.withResolvers<void>();
  readonly #end = new AbortController();
  /** One input at a time; those that come of an input's own effects wait for their turn. */
  readonly #actor: ActorRef<Input>;
  #heardMs: number;
  #pingedMs: number;
  #ending: Timer | undefined;
  #wireClosed = false;

  constructor(wire: Wire, arrival: Arrival, parts: EdgeParts) {
    const { limits, clock, turn, voucher } = parts;
    this.#wire = wire;
    this.#arrival = arrival;
    this.#parts = parts;
    this.#heardMs = clock.monotonic();
    this.#pingedMs = this.#heardMs;
    this.#decoder = new FrameDecoder({ frameBytesMax: limits.frameBytesBeforeLoginMax });
    this.#session = newSession({
      limits,
      serverKey: voucher.serverKey,
      nonce: parts.randomBytes(nonceBytes),
      binding: wire.binding,
    });
    this.outbox = new Outbox({
      wire,
      bytesMax: limits.outboxBytesBeforeLoginMax,
      schedule: () => turn.schedule(this),
      overflowed: () => this.#tooSlow(),
    });
    this.#actor = spawn<Input>({
      name: "connection",
      mailboxMax,
      onFull: "stop",
      handle: (input) => {
        for (const effect of step(this.#session, input)) perform(this.#hands, effect);
      },
      stopped: (error) => this.#stopped(error),
    });
    this.#rooms = new RoomEffects(this, parts);
    this.#hands = {
      port: this,
      login: new LoginEffects(this, this, parts),
      forward: new ForwardEffects(this, parts, () => this.#session.principal, arrival),
      rooms: this.#rooms,
      media: new MediaEffects(this, parts),
      archive: new ArchiveEffects(this, parts),
      trouble: (cannotOpen) => parts.events.cannotOpen(cannotOpen),
      setPresence: (state, begins) => this.#setPresence(state, begins),
      loggedIn: () => this.#loggedIn(),
      close: (effect) => this.#close(effect),
    };
  }

  /** Greets the client and begins to listen to it. */
  open(): void {
    const { clock, limits, voucher, confirmation } = this.#parts;
    this.outbox.push(
      encodeHello(0, {
        protocolVersion: 1,
        serverKey: voucher.serverKey,
        certificateProof: voucher.proofOf(this.#arrival.spkiSha256),
        nonce: this.#session.nonce,
        timeMs: BigInt(Math.floor(clock.now())),
        directorySize: confirmation.directorySize,
        limits: {
          frameBytesMax: limits.frameBytesMax,
          messageBytesMax: limits.messageBytesMax,
          envelopeBytesMax: limits.envelopeBytesMax,
          pieceBytes: limits.pieceBytes,
          idleTimeoutMs: limits.idleTimeoutMs,
          objectBytesMax: BigInt(limits.objectBytesMax),
          roomDevicesMax: limits.roomDevicesMax,
        },
      }),
    );
    this.#arrival.whenExpired(() => this.end(CloseCode.LOGIN_TIMEOUT, "the login took too long"));
    this.#wire.open({
      data: (bytes) => this.#receive(bytes),
      drained: () => this.outbox.drained(),
      closed: () => this.#closed(),
    });
  }

  get principal(): Principal {
    const { principal } = this.#session;
    if (!principal) throw new Error("nobody is logged in here");
    return principal;
  }

  get ended(): AbortSignal {
    return this.#end.signal;
  }

  /** Resolves when nothing is left of the connection. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  get isReady(): boolean {
    return this.#session.phase === "ready";
  }

  /** Gives a logged-in client a frame that many share. */
  tell(frame: Uint8Array): void {
    if (this.isReady) this.outbox.push(frame);
  }

  /** As `tell`, for what a quiet connection does not want to hear. */
  tellPresence(frame: Uint8Array): void {
    if (this.isReady && !this.principal.quiet) this.outbox.push(frame);
  }

  /** True where this connection reads the room. */
  reads(room: RoomId): boolean {
    return this.#rooms.has(room);
  }

  /** Ends every subscription, because nothing can be delivered now. */
  interrupt(code: ErrorCode): void {
    this.#rooms.interruptAll(code);
  }

  /** Tells the client why, and ends the connection. The first reason wins. */
  end(code: CloseCode, message: string, reconnectAfterMs = 0): void {
    this.feed({ kind: "end", code, message, reconnectAfterMs });
  }

  /** Called from time to time: pings a silent client, and ends one that stays silent. */
  watch(atMs: number): void {
    const { idleTimeoutMs, pingIntervalMs } = this.#parts.limits;
    const silentMs = atMs - this.#heardMs;
    if (silentMs >= idleTimeoutMs) {
      this.end(CloseCode.IDLE, "nothing was heard for too long");
      return;
    }
    if (silentMs < pingIntervalMs || atMs - this.#pingedMs < pingIntervalMs || !this.isReady)
      return;
    this.#pingedMs = atMs;
    this.outbox.push(pingFrame());
  }

  feed(input: Input): void {
    this.#actor.tell(input);
  }

  answer(stream: number, work: Promise<ResponseBody>): void {
    work.then(
      (body) => this.feed({ kind: "answered", stream, body }),
      (error: unknown) => this.feed({ kind: "answered", stream, body: this.#refusalOf(error) }),
    );
  }

  codeOf(error: unknown): ErrorCode {
    const failure = failureOf(error);
    if (failure.code === ErrorCode.INTERNAL) this.#parts.events.failed(failure.cause ?? failure);
    return failure.code;
  }

  /** Writes what waits, at the end of a turn. */
  flush(): void {
    try {
      this.outbox.flush();
    } catch (error) {
      this.#crash(error);
    }
  }

  /** Cuts the connection off without a word. */
  destroy(): void {
    this.#wire.destroy();
  }

  #receive(bytes: Uint8Array): void {
    const atMs = this.#parts.clock.monotonic();
    this.#heardMs = atMs;
    try {
      for (const frame of this.#decoder.push(bytes)) {
        this.feed({ kind: "frame", frame, atMs });
        if (this.#session.phase === "closing") return;
      }
    } catch (error) {
      if (error instanceof FrameError) {
        this.feed({ kind: "unreadable", tooLarge: error.code === "FRAME_TOO_LARGE" });
      } else this.#crash(error);
    }
  }

  #loggedIn(): void {
    const { limits, events } = this.#parts;
    this.#arrival.settle();
    this.#wire.loggedIn();
    this.#decoder.raiseLimit(limits.frameBytesMax);
    this.outbox.setLimit(limits.outboxBytesMax);
    events.loggedIn(this.#wire.transport);
    if (!this.principal.quiet) this.#setPresence(PresenceState.ONLINE, true);
  }

  #setPresence(state: PresenceState, begins: boolean): void {
    const { presence, presenceFeed } = this.#parts;
    const { user } = this.principal;
    if (state === PresenceState.OFFLINE) presence.delete(user, this);
    else presence.set(user, this, state);
    if (begins) void presenceFeed.snapshot(user, (frame) => this.tell(frame));
  }

  #refusalOf(error: unknown): ResponseBody {
    const failure = failureOf(error);
    return refusal(this.codeOf(error), failure.message, { handshake: failure.handshake });
  }

  #tooSlow(): void {
    this.#parts.events.tooSlow();
    this.end(CloseCode.TOO_SLOW, "too many bytes wait to be read");
  }

  /** The actor is over: at the end of the wire, by a defect, or because its mailbox was full. */
  #stopped(error: unknown): void {
    if (!this.#wireClosed) this.#crash(error ?? new Error("a connection's mailbox was full"));
  }

  #crash(error: unknown): void {
    this.#parts.events.crashed(error);
    const code = CloseCode.INTERNAL;
    const message = "something failed on the server";
    step(this.#session, { kind: "end", code, message });
    this.#close({ kind: "close", code, message, reconnectAfterMs: 0 });
  }

  #close({ code, message, reconnectAfterMs }: Extract<Effect, { kind: "close" }>): void {
    if (this.#end.signal.aborted) return;
    this.#parts.events.closing(code);
    this.#end.abort();
    this.#ending = this.#parts.clock.after(closeTimeoutMs, () => this.#wire.destroy());
    // A client that is too slow has enough to read already.
    if (code === CloseCode.TOO_SLOW) this.outbox.close();
    this.outbox.finish(() => {
      this.#wire.write(encodeClose(0, { code, message, reconnectAfterMs }));
      this.#wire.end();
    });
  }

  #closed(): void {
    this.#wireClosed = true;
    this.#actor.stop();
    this.#ending?.cancel();
    step(this.#session, { kind: "end", code: CloseCode.GOING_AWAY, message: "" });
    try {
      this.#end.abort();
      this.#arrival.settle();
      this.outbox.close();
      const { principal } = this.#session;
      if (principal) this.#parts.presence.delete(principal.user, this);
    } catch (error) {
      this.#parts.events.crashed(error);
    } finally {
      this.#gone.resolve();
    }
  }
}
