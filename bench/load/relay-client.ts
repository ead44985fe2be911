import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";

/** A connection to the raw relay. */
export class RelayClient {
  readonly socket: TLSSocket;
  readonly number: number;
  /** Called for every frame's bytes. */
  onFrame: (body: Buffer) => void = () => {};
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: TLSSocket, number: number) {
    this.socket = socket;
    this.number = number;
    socket.on("data", (data: Buffer) => this.#take(data));
  }

  static async open(port: number): Promise<RelayClient> {
    const socket = connect({
      host: "127.0.0.1",
      port,
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
    });
    socket.setNoDelay(true);
    await once(socket, "secureConnect");
    const [hello] = (await once(socket, "data")) as [Buffer];
    return new RelayClient(socket, hello.readUInt32BE(0));
  }

  send(target: number, body: Uint8Array): void {
    const frame = Buffer.allocUnsafe(6 + body.length);
    frame.writeUInt32BE(body.length);
    frame.writeUInt16BE(target, 4);
    frame.set(body, 6);
    this.socket.write(frame);
  }

  #take(data: Buffer): void {
    let buffer = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    while (buffer.length >= 6) {
      const length = buffer.readUInt32BE(0);
      if (buffer.length < 6 + length) break;
      this.onFrame(buffer.subarray(6, 6 + length));
      buffer = buffer.subarray(6 + length);
    }
    this.#rest = Buffer.from(buffer);
  }
}
