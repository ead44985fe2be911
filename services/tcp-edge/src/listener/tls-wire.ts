import type { TLSSocket } from "node:tls";
import { tlsBinding } from "@sotto/protocol";
import type { Wire, WireEvents } from "../connection/wire.ts";

/** RFC 9266: what both ends of a TLS 1.3 channel know, and nobody else. */
const exporterLabel = "EXPORTER-Channel-Binding";
const exporterBytes = 32;

/** Frames straight on a TLS socket (ALPN `sotto/1`). */
export class TlsWire implements Wire {
  readonly transport = "tls";
  readonly address: string;
  readonly binding: Uint8Array;
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket, address: string) {
    this.#socket = socket;
    this.address = address;
    this.binding = tlsBinding(
      socket.exportKeyingMaterial(exporterBytes, exporterLabel, Buffer.alloc(0)),
    );
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  open(events: WireEvents): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => events.data(bytes));
    socket.on("drain", () => events.drained());
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.end());
    socket.once("close", () => events.closed());
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  writePair(first: Uint8Array, second: Uint8Array): boolean {
    // Corked, the two would be copied into one buffer before they are encrypted.
    this.#socket.write(first);
    return this.#socket.write(second);
  }

  loggedIn(): void {}

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
