import {
  CloseCode,
  ErrorCode,
  encodeClose,
  encodeHello,
  encodePong,
  FrameDecoder,
  FrameError,
  fromHex,
  PresenceState,
  type RoomId,
  retryOf,
} from "@sotto/protocol";
import { failureOf } from "../failure.ts";
import type { Arrival } from "../listener/arrival.ts";
import type { Effect } from "../session/effect.ts";
import type { Input } from "../session/input.ts";
import { type ResponseBody, refusal } from "../session/response-body.ts";
import { newSession, type Principal, type Session } from "../session/session.ts";
import { step } from "../session/step.ts";
import { eventFrame, pingFrame, responseFrame } from "./frames.ts";
import { LoginEffects } from "./login-effects.ts";
import { MediaEffects } from "./media-effects.ts";
import { Outbox } from "./outbox.ts";
import type { EdgeParts } from "./parts.ts";
import type { ConnectionPort } from "./port.ts";
import { RoomEffects } from "./room-effects.ts";
import type { Wire } from "./wire.ts";

/** A client that does not take its last words is cut off after this long. */
const closeTimeoutMs = 2000;
const nonceBytes = 32;

/**
 * One client. Bytes become frames, frames and results become inputs of the session core, one at a
 * time, and its effects are performed. Whatever goes wrong in here ends this connection alone.
 */
export class Connection implements ConnectionPort {
  readonly outbox: Outbox;
  readonly #wire: Wire;
  readonly #arrival: Arrival;
  readonly #parts: EdgeParts;
  readonly #session: Session;
  readonly #decoder: FrameDecoder;
  readonly #login: LoginEffects;
  readonly #rooms: RoomEffects;
  readonly #media: MediaEffects;
  readonly #end = new AbortController();
  /** Inputs that came while another was being worked on. */
  readonly #inbox: Input[] = [];
  #working = false;
  #heardMs: number;
  #pingedMs: number;

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
      bytesMax: limits.outboxBytesMax,
      schedule: (outbox) => turn.schedule(outbox),
      overflowed: () => this.#tooSlow(),
    });
    this.#login = new LoginEffects(this, this, parts);
    this.#rooms = new RoomEffects(this, parts);
    this.#media = new MediaEffects(this, parts);
  }

  /** Greets the client and begins to listen to it. */
  open(): void {
    const { clock, limits, voucher, confirmation } = this.#parts;
    this.outbox.push(
      encodeHello(0, {
        protocolVersion: 1,
        serverKey: voucher.serverKey,
        certificateProof: voucher.proof,
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
    if (silentMs >= idleTimeoutMs)
      return this.end(CloseCode.IDLE, "nothing was heard for too long");
    if (silentMs < pingIntervalMs || atMs - this.#pingedMs < pingIntervalMs || !this.isReady)
      return;
    this.#pingedMs = atMs;
    this.outbox.push(pingFrame());
  }

  feed(input: Input): void {
    this.#inbox.push(input);
    if (this.#working) return;
    this.#working = true;
    try {
      for (let next = this.#inbox.shift(); next; next = this.#inbox.shift()) {
        for (const effect of step(this.#session, next)) this.#perform(effect);
      }
    } catch (error) {
      this.#crash(error);
    } finally {
      this.#working = false;
    }
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
      if (!(error instanceof FrameError)) return this.#crash(error);
      this.feed({ kind: "unreadable", tooLarge: error.code === "FRAME_TOO_LARGE" });
    }
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "respond":
        return this.outbox.push(responseFrame(effect.stream, effect.body));
      case "append":
        return this.#rooms.append(effect);
      case "pong":
        return this.outbox.push(encodePong(effect.body));
      case "tellInterrupted":
        return this.#tellInterrupted(effect.room, effect.code);
      case "lookUpDevice":
        return this.#login.lookUpDevice(effect.device);
      case "verify":
        return this.#login.verify(effect.facts, effect.message, effect.signature);
      case "admit":
        return this.#login.admit(effect);
      case "loggedIn":
        return this.#loggedIn();
      case "loginFailed":
        return this.#parts.events.loginFailed(effect.reason);
      case "forward":
        return this.#forward(effect);
      case "subscribe":
        return this.#rooms.subscribe(effect);
      case "unsubscribe":
        return this.#rooms.unsubscribe(effect.room);
      case "signal":
        return this.#rooms.signal(effect);
      case "setPresence":
        return this.#parts.presence.set(this.principal.user, this, effect.state);
      case "beginUpload":
        return this.#media.beginUpload(effect);
      case "uploadBytes":
        return this.#media.fill(effect.stream, effect.bytes);
      case "finishUpload":
        return this.#media.finishUpload(effect.stream);
      case "dropUpload":
        return this.#media.dropUpload(effect.stream);
      case "openObject":
        return this.#media.open(effect);
      case "credit":
        return this.#media.credit(effect.stream, effect.bytes);
      case "cancelDownload":
        return this.#media.cancel(effect.stream);
      case "close":
        return this.#close(effect.code, effect.message, effect.reconnectAfterMs);
    }
  }

  #tellInterrupted(room: RoomId, code: ErrorCode): void {
    const error = { code, retry: retryOf(code), message: "the subscription ended" };
    this.outbox.push(
      eventFrame({ case: "roomInterrupted", value: { room: fromHex(room), error } }),
    );
  }

  #loggedIn(): void {
    const { limits, presence, presenceFeed, events } = this.#parts;
    this.#arrival.settle();
    this.#decoder.raiseLimit(limits.frameBytesMax);
    events.loggedIn(this.#wire.transport);
    if (this.principal.quiet) return;
    presence.set(this.principal.user, this, PresenceState.ONLINE);
    void presenceFeed.snapshot(this.principal.user, (frame) => this.tell(frame));
  }

  #forward({ service, stream, request, room }: Extract<Effect, { kind: "forward" }>): void {
    const { calls, rosters } = this.#parts;
    const { principal } = this.#session;
    const call = calls.encodeCommand(principal, request);
    const work = async (): Promise<ResponseBody> => {
      if (room !== undefined && !(await rosters.member(room, this.principal.device))) {
        return refusal(ErrorCode.NOT_A_MEMBER, "this device is not in the room");
      }
      const { body } = await calls.command(service, call);
      return body.case === undefined ? refusal(ErrorCode.INTERNAL, "no answer") : body;
    };
    this.answer(stream, work());
  }

  #refusalOf(error: unknown): ResponseBody {
    const failure = failureOf(error);
    return refusal(this.codeOf(error), failure.message, { handshake: failure.handshake });
  }

  #tooSlow(): void {
    this.#parts.events.tooSlow();
    this.end(CloseCode.TOO_SLOW, "too many bytes wait to be read");
  }

  #crash(error: unknown): void {
    this.#parts.events.crashed(error);
    this.#session.phase = "closing";
    this.#close(CloseCode.INTERNAL, "something failed on the server", 0);
  }

  #close(code: CloseCode, message: string, reconnectAfterMs: number): void {
    if (this.#end.signal.aborted) return;
    this.#parts.events.closing(code);
    this.#end.abort();
    const last = encodeClose(0, { code, message, reconnectAfterMs });
    const timer = this.#parts.clock.after(closeTimeoutMs, () => this.#wire.destroy());
    this.#ending = timer;
    if (code === CloseCode.TOO_SLOW) this.outbox.close();
    this.outbox.finish(() => {
      this.#wire.write(last);
      this.#wire.end();
    });
  }

  #ending: { cancel(): void } | undefined;

  #closed(): void {
    this.#ending?.cancel();
    this.#session.phase = "closing";
    this.#arrival.settle();
    this.outbox.close();
    const { principal } = this.#session;
    if (principal) this.#parts.presence.delete(principal.user, this);
    this.#end.abort();

    this.#gone.resolve();
  }

  readonly #gone = Promise.withResolvers<void>();

  /** Resolves when nothing is left of the connection. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }
}
