import {
  decodeEvent,
  decodeHello,
  decodeRecord,
  decodeRequest,
  decodeResponse,
  type Event,
  encodeEvent,
  encodeFrame,
  encodeHello,
  encodeRecord,
  encodeRequest,
  encodeResponse,
  type Frame,
  FrameDecoder,
  FrameType,
  type Hello,
  limits,
  type Record as RecordMessage,
  type Request,
  type Response,
} from "@sotto/protocol";
import type { ServerAddress, Transport, TransportConnection, TransportEvents } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";

export type RequestBody = NonNullable<Request["body"]>;
export type ResponseBody = Response["body"];

/** What the server at the other end does with what passes; what is not said passes as it is. */
export interface Tampering {
  /** A request of the client: what goes to the real server, an `answer` in its place, or "lost": nobody ever answers. */
  request?(
    body: RequestBody,
    line: Line,
  ): RequestBody | { readonly answer: ResponseBody | Promise<ResponseBody> } | "lost" | undefined;
  /** The real server's answer; what the client gets. */
  response?(
    body: ResponseBody,
    request: RequestBody | undefined,
    line: Line,
  ): ResponseBody | Promise<ResponseBody> | undefined;
  /** A record on its way to the client; what the client gets instead. */
  record?(record: RecordMessage, line: Line): readonly RecordMessage[] | undefined;
  event?(event: Event, line: Line): readonly Event[] | undefined;
  hello?(hello: Hello): Hello | undefined;
}

/** One connection of a victim. */
export interface Line {
  /** Sends the client what no real server sent. */
  record(record: RecordMessage): void;
  event(event: Event): void;
  close(): void;
}

/**
 * The server's end of its victims' connections: everything that they say and hear passes here, and may be
 * dropped, delayed, altered, answered or made up. From the client this is what the server itself can do.
 */
export class Wire implements Transport {
  /** May be replaced at any time. */
  tampering: Tampering;
  readonly lines = new Set<Line>();
  readonly #below: Transport;

  constructor(tampering: Tampering = {}, below: Transport = tlsTransport) {
    this.tampering = tampering;
    this.#below = below;
  }

  async connect(
    address: ServerAddress,
    events: TransportEvents,
    signal: AbortSignal,
  ): Promise<TransportConnection> {
    const tapped = new TappedConnection(this, events);
    const connection = await this.#below.connect(
      address,
      {
        data: (bytes) => tapped.down(bytes),
        closed: (reason) => {
          this.lines.delete(tapped);
          events.closed(reason);
        },
        drained: () => events.drained(),
      },
      signal,
    );
    this.lines.add(tapped);
    tapped.below = connection;
    return { ...connection, send: (bytes) => tapped.up(bytes), close: () => connection.close() };
  }

  /** Closes every connection; the clients come back by themselves. */
  cut(): void {
    for (const line of [...this.lines]) line.close();
  }
}

class TappedConnection implements Line {
  below: TransportConnection | undefined;
  readonly #wire: Wire;
  readonly #events: TransportEvents;
  readonly #asked = new Map<number, RequestBody>();
  readonly #fromClient = new FrameDecoder({ frameBytesMax: limits.frameBytesMax });
  readonly #fromServer = new FrameDecoder({ frameBytesMax: limits.frameBytesMax });

  constructor(wire: Wire, events: TransportEvents) {
    this.#wire = wire;
    this.#events = events;
  }

  record(record: RecordMessage): void {
    this.#events.data(encodeRecord(0, record));
  }

  event(event: Event): void {
    this.#events.data(encodeEvent(0, event));
  }

  close(): void {
    this.below?.close();
  }

  up(bytes: Uint8Array): boolean {
    let more = true;
    for (const frame of this.#fromClient.push(bytes.slice())) {
      const passed = frame.type === FrameType.request ? this.#request(frame) : whole(frame);
      if (passed) more = this.below?.send(passed) ?? false;
    }
    return more;
  }

  down(bytes: Uint8Array): void {
    // A test may keep what passes.
    for (const frame of this.#fromServer.push(bytes.slice())) this.#down(frame);
  }

  #request(frame: Frame): Uint8Array | undefined {
    const { body } = decodeRequest(frame);
    const verdict = this.#wire.tampering.request?.(body, this);
    if (verdict === "lost") return undefined;
    if (verdict && "answer" in verdict) {
      void Promise.resolve(verdict.answer).then((answer) => this.#answer(frame.stream, answer));
      return undefined;
    }
    const passed = verdict ?? body;
    this.#asked.set(frame.stream, passed);
    return verdict ? encodeRequest(frame.stream, { body: verdict }) : whole(frame);
  }

  #answer(stream: number, body: ResponseBody): void {
    this.#events.data(encodeResponse(stream, { body }));
  }

  #down(frame: Frame): void {
    const { tampering } = this.#wire;
    switch (frame.type) {
      case FrameType.record: {
        const records = tampering.record?.(decodeRecord(frame), this);
        if (!records) break;
        for (const record of records) this.record(record);
        return;
      }
      case FrameType.event: {
        const events = tampering.event?.(decodeEvent(frame), this);
        if (!events) break;
        for (const event of events) this.event(event);
        return;
      }
      case FrameType.response: {
        const asked = this.#asked.get(frame.stream);
        this.#asked.delete(frame.stream);
        const altered = tampering.response?.(decodeResponse(frame).body, asked, this);
        if (!altered) break;
        if (altered instanceof Promise)
          void altered.then((body) => this.#answer(frame.stream, body));
        else this.#answer(frame.stream, altered);
        return;
      }
      case FrameType.hello: {
        const hello = tampering.hello?.(decodeHello(frame));
        if (!hello) break;
        this.#events.data(encodeHello(frame.stream, hello));
        return;
      }
      default:
        break;
    }
    this.#events.data(whole(frame));
  }
}

function whole({ type, stream, body, flags }: Frame): Uint8Array {
  return encodeFrame(type, stream, body, flags);
}
