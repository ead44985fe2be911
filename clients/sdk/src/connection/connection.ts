import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { Serial } from "@sotto/actor";
import {
  type Close,
  CloseSchema,
  type Event,
  EventSchema,
  encodeFrame,
  encodeRequest,
  type Frame,
  FrameDecoder,
  FrameFlag,
  FrameType,
  fromErrorMessage,
  type Hello,
  HelloSchema,
  limits,
  type Record as RecordMessage,
  type RequestSchema,
  type Response,
  ResponseSchema,
  readRecord,
} from "@sotto/protocol";
import { describe, SottoClientError } from "../errors.ts";
import type { ServerAddress, Transport, TransportConnection } from "../ports/transport.ts";
import { MediaStream } from "./media-stream.ts";

/** Where a connection hands what the server sends unasked. */
export interface ConnectionEvents {
  event(event: Event): void;
  record(record: RecordMessage): void;
  /** Once, when nothing will follow. `reconnectAfterMs` is the server's wish, where it gave one. */
  closed(reason: string, reconnectAfterMs: number | undefined, closeCode: number | undefined): void;
}

export type RequestBody = NonNullable<MessageInitShape<typeof RequestSchema>["body"]>;
type ResponseBody = Response["body"];
type ResponseCase = NonNullable<ResponseBody["case"]>;
type ResponseOf<Case extends ResponseCase> = Extract<ResponseBody, { case: Case }>["value"];

interface Pending {
  resolve(body: ResponseBody): void;
  reject(error: unknown): void;
}

/** One connection: frames in, frames out, requests matched with their answers. Knows nothing of rooms. */
export class Connection {
  readonly #decoder = new FrameDecoder({ frameBytesMax: limits.frameBytesMax });
  readonly #pending = new Map<number, Pending>();
  readonly #media = new Map<number, MediaStream>();
  readonly #waitingForDrain: (() => void)[] = [];
  readonly #uploads = new Serial();
  readonly #events: ConnectionEvents;
  #transport: TransportConnection | undefined;
  #nextStream = 1;
  /** What everything that waits is rejected with. */
  #failure: SottoClientError | undefined;
  #reconnectAfterMs: number | undefined;
  #closeCode: number | undefined;
  #serverKey: Uint8Array = new Uint8Array();
  #hello: ((hello: Hello) => void) | undefined;
  #helloFailed: ((error: unknown) => void) | undefined;

  private constructor(events: ConnectionEvents) {
    this.#events = events;
  }

  /** Opens a connection and waits for the server's `Hello`. */
  static async open(
    transport: Transport,
    address: ServerAddress,
    events: ConnectionEvents,
    signal: AbortSignal,
  ): Promise<{ connection: Connection; hello: Hello; transport: TransportConnection }> {
    const connection = new Connection(events);
    const greeted = new Promise<Hello>((resolve, reject) => {
      connection.#hello = resolve;
      connection.#helloFailed = reject;
    });
    greeted.catch(() => {});
    const opened = await transport.connect(
      address,
      {
        data: (bytes) => connection.#receive(bytes),
        closed: (reason) => connection.#close(reason),
        drained: () => connection.#drained(),
      },
      signal,
    );
    connection.#transport = opened;
    const abort = () =>
      connection.close(
        "aborted",
        signal.reason instanceof SottoClientError ? signal.reason : undefined,
      );
    signal.addEventListener("abort", abort, { once: true });
    try {
      return { connection, hello: await greeted, transport: opened };
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** The identity key that the server named in its `Hello`. */
  get serverKey(): Uint8Array {
    return this.#serverKey;
  }

  get closed(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Sends a request and resolves with its answer's body. Rejects with `SottoError` where the server
   * refused, with NOT_REACHABLE where the connection ended first: whether it was done is unknown then.
   */
  async request<Case extends ResponseCase>(
    body: RequestBody,
    expected: Case,
  ): Promise<ResponseOf<Case>> {
    const { stream, answer } = this.#begin(body);
    try {
      return expect(await answer, expected);
    } finally {
      this.#pending.delete(stream);
    }
  }

  /**
   * Sends a request whose bytes follow in MEDIA frames, and resolves with its answer. Uploads leave one
   * after the other, in call order, while their answers may still be awaited.
   */
  async upload<Case extends ResponseCase>(
    body: RequestBody,
    bytes: Uint8Array,
    expected: Case,
  ): Promise<ResponseOf<Case>> {
    const { stream, answer } = await this.#uploads.run(async () => {
      const begun = this.#begin(body);
      begun.answer.catch(() => {});
      for (let at = 0; at < bytes.length || at === 0; at += limits.mediaFrameBytesMax) {
        const part = bytes.subarray(at, at + limits.mediaFrameBytesMax);
        const last = at + part.length >= bytes.length;
        await this.#sendPatiently(
          encodeFrame(FrameType.media, begun.stream, part, last ? FrameFlag.end : 0),
        );
      }
      return begun;
    });
    try {
      return expect(await answer, expected);
    } finally {
      this.#pending.delete(stream);
    }
  }

  /** Sends a request that is answered by MEDIA frames after its response. */
  async download<Case extends ResponseCase>(
    body: (creditBytes: number) => RequestBody,
    expected: Case,
  ): Promise<{ response: ResponseOf<Case>; bytes: MediaStream }> {
    const { stream, answer } = this.#begin(body(MediaStream.creditBytes));
    const media = new MediaStream({
      credit: (bytes) => {
        const credit = new Uint8Array(4);
        new DataView(credit.buffer).setUint32(0, bytes);
        this.#send(encodeFrame(FrameType.credit, stream, credit));
      },
      ended: (cancelled) => {
        this.#media.delete(stream);
        this.#pending.delete(stream);
        if (cancelled && !this.closed)
          this.#send(encodeFrame(FrameType.cancel, stream, new Uint8Array()));
      },
    });
    this.#media.set(stream, media);
    try {
      const response = expect(await answer, expected);
      this.#pending.set(stream, {
        resolve: (late) => {
          media.fail(late.case === "error" ? fromErrorMessage(late.value) : unexpected(late));
        },
        reject: (error) => media.fail(error),
      });
      return { response, bytes: media };
    } catch (error) {
      this.#media.delete(stream);
      this.#pending.delete(stream);
      throw error;
    }
  }

  /** Ends the connection: what waits is rejected with `failure`, by default NOT_REACHABLE. */
  close(reason = "closed by this client", failure: SottoClientError = lost(reason)): void {
    this.#close(reason, failure);
    this.#transport?.close();
  }

  #begin(body: RequestBody): { stream: number; answer: Promise<ResponseBody> } {
    if (this.#failure) throw this.#failure;
    const stream = this.#nextStream;
    this.#nextStream = stream >= 0xffff_fffe ? 1 : stream + 1;
    const answer = new Promise<ResponseBody>((resolve, reject) => {
      this.#pending.set(stream, { resolve, reject });
    });
    this.#send(encodeRequest(stream, { body }));
    return { stream, answer };
  }

  #send(bytes: Uint8Array): boolean {
    return this.#transport?.send(bytes) ?? false;
  }

  async #sendPatiently(bytes: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#send(bytes)) return;
    await new Promise<void>((resolve) => this.#waitingForDrain.push(resolve));
  }

  #drained(): void {
    for (const resume of this.#waitingForDrain.splice(0)) resume();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#failure) return;
    try {
      for (const frame of this.#decoder.push(bytes)) this.#dispatch(frame);
    } catch (error) {
      this.close(`the server sent what cannot be read: ${describe(error)}`);
    }
  }

  #dispatch(frame: Frame): void {
    const { body, stream, flags } = frame;
    switch (frame.type) {
      case FrameType.record:
        this.#events.record(readRecord(body));
        break;
      case FrameType.response:
        this.#answered(stream, fromBinary(ResponseSchema, body).body);
        break;
      case FrameType.media:
        this.#media.get(stream)?.push(body, (flags & FrameFlag.end) !== 0);
        break;
      case FrameType.event:
        this.#events.event(fromBinary(EventSchema, body));
        break;
      case FrameType.ping:
        this.#send(encodeFrame(FrameType.pong, stream, body));
        break;
      case FrameType.hello:
        this.#greeted(fromBinary(HelloSchema, body));
        break;
      case FrameType.close:
        this.#closedByServer(fromBinary(CloseSchema, body));
        break;
      default:
        if (flags & FrameFlag.critical) {
          this.close("the server speaks a newer protocol; update this client");
        }
    }
  }

  #greeted(hello: Hello): void {
    this.#serverKey = hello.serverKey;
    this.#hello?.(hello);
  }

  #answered(stream: number, body: ResponseBody): void {
    const pending = this.#pending.get(stream);
    this.#pending.delete(stream);
    pending?.resolve(body);
  }

  #closedByServer(close: Close): void {
    this.#reconnectAfterMs = close.reconnectAfterMs || undefined;
    this.#closeCode = close.code;
    this.close(close.message || "the server closed the connection");
  }

  #close(reason: string, error: SottoClientError = lost(reason)): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#helloFailed?.(error);
    for (const pending of this.#pending.values()) pending.reject(error);
    for (const media of this.#media.values()) media.fail(error);
    this.#pending.clear();
    this.#media.clear();
    this.#drained();
    this.#events.closed(reason, this.#reconnectAfterMs, this.#closeCode);
  }
}

function lost(reason: string): SottoClientError {
  return new SottoClientError("NOT_REACHABLE", reason);
}

function unexpected(body: ResponseBody): SottoClientError {
  return new SottoClientError(
    "SERVER_MISBEHAVED",
    `the server answered ${body.case ?? "nothing"} where it should not`,
  );
}

function expect<Case extends ResponseCase>(body: ResponseBody, expected: Case): ResponseOf<Case> {
  if (body.case === expected) return body.value as ResponseOf<Case>;
  throw body.case === "error" ? fromErrorMessage(body.value) : unexpected(body);
}
