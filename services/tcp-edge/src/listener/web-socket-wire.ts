import { webSocketBinding } from "@sotto/protocol";
import type { WebSocket } from "ws";
import type { Wire, WireEvents } from "../connection/wire.ts";

/** Above this many buffered bytes a writer waits. */
const highWaterBytes = 64 * 1024;

/**
 * The same bytes in binary WebSocket messages. Messages and frames need not coincide: the stream
 * of bytes is what counts, in both directions.
 */
export class WebSocketWire implements Wire {
  readonly transport = "web-socket";
  readonly address: string;
  readonly binding: Uint8Array;
  readonly #socket: WebSocket;
  #events: WireEvents | undefined;
  #full = false;

  constructor(socket: WebSocket, address: string, origin: string) {
    this.#socket = socket;
    this.address = address;
    this.binding = webSocketBinding(origin);
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  open(events: WireEvents): void {
    this.#events = events;
    this.#socket.binaryType = "nodebuffer";
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

  readonly #sent = (): void => {
    if (!this.#full || this.#socket.bufferedAmount >= highWaterBytes) return;
    this.#full = false;
    this.#events?.drained();
  };
}
