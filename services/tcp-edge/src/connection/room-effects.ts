import { ErrorCode, fromHex, type RoomId, SottoError } from "@sotto/protocol";
import type { Subscription } from "../rooms/subscription.ts";
import type { Effect } from "../session/effect.ts";
import type { ReaderPosition } from "../session/reader-position.ts";
import { done, type ResponseBody, refusal } from "../session/response-body.ts";
import { appendedBody } from "./appended-body.ts";
import type { EdgeParts } from "./parts.ts";
import type { ConnectionPort } from "./port.ts";

type AppendEffect = Extract<Effect, { kind: "append" }>;
type SubscribeEffect = Extract<Effect, { kind: "subscribe" }>;
type SignalEffect = Extract<Effect, { kind: "signal" }>;
type PresenceEffect = Extract<Effect, { kind: "askPresence" }>;

/** Performs what a session wants done in rooms. */
export class RoomEffects {
  readonly #port: ConnectionPort;
  readonly #parts: EdgeParts;
  /** Readings that stand, and marks of those that are being prepared. */
  readonly #readings = new Map<RoomId, Subscription | AbortController>();
  #deviceBytes: Uint8Array | undefined;

  constructor(port: ConnectionPort, parts: EdgeParts) {
    this.#port = port;
    this.#parts = parts;
    port.ended.addEventListener("abort", () => this.#endAll());
  }

  /** Rooms that this connection reads. */
  has(room: RoomId): boolean {
    return this.#readings.has(room);
  }

  append({ stream, room, id, handshake, sealed }: AppendEffect): void {
    const { messages, devices, clock, confirmation, events } = this.#parts;
    const { device } = this.#port.principal;
    if (!confirmation.holds) {
      this.#refuse(stream, ErrorCode.UNAVAILABLE);
      return;
    }
    const retryAfterMs = devices.takeAppend(device, clock.monotonic());
    if (retryAfterMs > 0) {
      this.#refuse(stream, ErrorCode.RATE_LIMITED, retryAfterMs);
      return;
    }
    this.#deviceBytes ??= fromHex(device);
    const deviceBytes = this.#deviceBytes;
    const stored = messages.append({ room, device, deviceBytes, id, handshake, sealed });
    this.#port.answer(
      stream,
      stored.then((appended) => {
        events.appended();
        return appendedBody(appended);
      }),
    );
  }

  subscribe({ stream, room, after }: SubscribeEffect): void {
    const mark = new AbortController();
    this.#readings.set(room, mark);
    this.#subscribe(room, after, mark).then(
      ([body, subscription]) => {
        this.#port.feed({ kind: "answered", stream, body });
        subscription.begin();
      },
      (error: unknown) => {
        if (this.#readings.get(room) === mark) this.#readings.delete(room);
        this.#port.answer(stream, Promise.reject(error));
      },
    );
  }

  unsubscribe(room: RoomId): void {
    const reading = this.#readings.get(room);
    this.#readings.delete(room);
    if (reading) end(reading);
  }

  /** Ends every reading, because nothing can be delivered now. */
  interruptAll(code: ErrorCode): void {
    for (const [room, reading] of [...this.#readings]) {
      if (reading instanceof AbortController) continue;
      this.unsubscribe(room);
      this.#port.feed({ kind: "interrupted", room, code });
    }
  }

  askPresence({ stream, state }: PresenceEffect): void {
    if (this.#takesSignal(stream)) this.#port.feed({ kind: "presenceAllowed", stream, state });
  }

  signal({ stream, room, signal }: SignalEffect): void {
    if (!this.#takesSignal(stream)) return;
    const { user, device } = this.#port.principal;
    const { rosters, signals } = this.#parts;
    const work = rosters.member(room, device).then((roster): ResponseBody => {
      if (!roster) return refusal(ErrorCode.NOT_A_MEMBER, "this device is not in the room");
      signals.publish(room, user, device, signal);
      return done;
    });
    this.#port.answer(stream, work);
  }

  async #subscribe(
    room: RoomId,
    after: ReaderPosition,
    mark: AbortController,
  ): Promise<[ResponseBody, Subscription]> {
    const { rooms, confirmation } = this.#parts;
    if (!confirmation.holds) throw unavailable();
    const reader = {
      device: this.#port.principal.device,
      outbox: this.#port.outbox,
      turns: this.#port.readings,
      removed: () => {
        this.#readings.delete(room);
        this.#port.feed({ kind: "removed", room });
      },
      failed: (error: unknown) => {
        this.#readings.delete(room);
        this.#port.feed({ kind: "interrupted", room, code: this.#port.codeOf(error) });
      },
    };
    const { incarnation, head, from, subscription } = await rooms.subscribe(room, reader, after);
    if (mark.signal.aborted || !confirmation.holds) {
      await subscription[Symbol.asyncDispose]();
      if (!mark.signal.aborted) throw unavailable();
      throw new SottoError(ErrorCode.BAD_REQUEST, "the room was unsubscribed meanwhile");
    }
    this.#readings.set(room, subscription);
    const value = { incarnation: fromHex(incarnation), head: BigInt(head), from: BigInt(from) };
    return [{ case: "subscribed", value }, subscription];
  }

  /** False, and answered, where the device has made too many of them. */
  #takesSignal(stream: number): boolean {
    const { devices, clock } = this.#parts;
    const retryAfterMs = devices.takeSignal(this.#port.principal.device, clock.monotonic());
    if (retryAfterMs > 0) this.#refuse(stream, ErrorCode.RATE_LIMITED, retryAfterMs);
    return retryAfterMs === 0;
  }

  #refuse(stream: number, code: ErrorCode, retryAfterMs?: number): void {
    const message =
      code === ErrorCode.RATE_LIMITED ? "too many in a short time" : "not confirmed now";
    this.#port.feed({ kind: "answered", stream, body: refusal(code, message, { retryAfterMs }) });
  }

  #endAll(): void {
    for (const reading of this.#readings.values()) end(reading);
    this.#readings.clear();
  }
}

function end(reading: Subscription | AbortController): void {
  if (reading instanceof AbortController) reading.abort();
  // Catching up may be waiting for the log; its result is dropped.
  else void reading[Symbol.asyncDispose]().catch(() => undefined);
}

function unavailable(): SottoError {
  return new SottoError(ErrorCode.UNAVAILABLE, "rosters cannot be confirmed now");
}
