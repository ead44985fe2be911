import type { Duplex } from "node:stream";
import { webSocketBinding } from "@sotto/protocol";
import type { WebSocket } from "ws";
import type { Wire, WireEvents } from "../connection/wire.ts";

/** Above this many buffered bytes a writer waits. */
const highWaterBytes = 64 * 1024;
/** Before the login: bytes that belong to no whole message. One read of the socket brings as many. */
const gatheredBytesMax = 64 * 1024;

export interface WebSocketWireOptions {
  readonly socket: WebSocket;
  /** What the WebSocket stands on. */
  readonly stream: Duplex;
  readonly address: string;
  readonly origin: string;
  /** Of a message, until `loggedIn`. */
  readonly messageBytesMax: number;
}

/**
 * The same bytes in binary WebSocket messages. Messages and frames need not coincide: the stream
 * of bytes is what counts, in both directions.
 */
export class WebSocketWire implements Wire {
  readonly transport = "web-socket";
  readonly address: string;
  readonly binding: Uint8Array;
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  readonly #messageBytesMax: number;
  #events: WireEvents | undefined;
  #full = false;
  /** Bytes that came and are in no whole message, as far as it matters. */
  #gatheredBytes = 0;

  constructor(options: WebSocketWireOptions) {
    this.#socket = options.socket;
    this.#stream = options.stream;
    this.#messageBytesMax = options.messageBytesMax;
    this.address = options.address;
    this.binding = webSocketBinding(options.origin);
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  open(events: WireEvents): void {
    this.#events = events;
    this.#socket.binaryType = "nodebuffer";
    this.#socket.on("message", this.#judge);
    this.#stream.on("data", this.#gather);
    this.#socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) events.data(data);
      else this.#socket.close(1003, "binary messages only");
    });
    this.#socket.on("error", () => this.#socket.terminate());
    this.#socket.once("close", () => events.closed());
  }

  write(bytes: Uint8Array): boolean {
    this.#socket.send(bytes, { binary: true }, this.#sent);
    if (this.#socket.bufferedAmount < highWaterBytes) return true;
    this.#full = true;
    return false;
  }

  writePair(first: Uint8Array, second: Uint8Array): boolean {
    this.write(first);
    return this.write(second);
  }

  loggedIn(): void {
    this.#socket.off("message", this.#judge);
    this.#stream.off("data", this.#gather);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.close(1000);
  }

  destroy(): void {
    this.#socket.terminate();
  }

  /** The library gathers up to the largest message that it may ever get: too much for a stranger. */
  readonly #gather = (bytes: Buffer): void => {
    this.#gatheredBytes += bytes.length;
    if (this.#gatheredBytes > gatheredBytesMax) this.#socket.terminate();
  };

  readonly #judge = ({ length }: Buffer): void => {
    this.#gatheredBytes -= length + headBytes(length);
    if (length > this.#messageBytesMax) this.#socket.terminate();
  };

  readonly #sent = (): void => {
    if (!this.#full || this.#socket.bufferedAmount >= highWaterBytes) return;
    this.#full = false;
    this.#events?.drained();
  };
}

/** Of a client's message in one fragment (RFC 6455 section 5.2). */
function headBytes(length: number): number {
  if (length < 126) return 6;
  return length < 65_536 ? 8 : 14;
}
