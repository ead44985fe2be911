import { once } from "node:events";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Authenticate,
  authInput,
  type Close,
  decodeClose,
  decodeEvent,
  decodeHello,
  decodeRecord,
  decodeResponse,
  type Event,
  encodeRequest,
  type Frame,
  FrameDecoder,
  FrameType,
  fromHex,
  type Hello,
  type Record as RecordMessage,
  type RequestSchema,
  type Response,
  tlsBinding,
} from "@sotto/protocol";
import type { TestDevice } from "./fake-keyserver.ts";

export type RequestBody = NonNullable<MessageInitShape<typeof RequestSchema>["body"]>;

/** Bytes in both directions, whatever carries them. */
export interface TestWire {
  write(bytes: Uint8Array): void;
  /** Begins or goes on with a message without ending it, where there are messages. */
  fragment?(bytes: Uint8Array): void;
  destroy(): void;
  pause(): void;
  readonly binding: Uint8Array;
}

/** A client that does what it is told, and keeps everything that it hears. */
export class TestClient implements Disposable {
  readonly #decoder = new FrameDecoder({ frameBytesMax: 2 ** 24 });
  readonly #answers = new Map<number, (response: Response["body"]) => void>();
  readonly #changed: (() => void)[] = [];
  #nextStream = 1;
  readonly records: RecordMessage[] = [];
  readonly events: Event["body"][] = [];
  readonly media: Frame[] = [];
  readonly late: Response["body"][] = [];
  hello: Hello | undefined;
  closed: Close | undefined;
  isGone = false;
  wire: TestWire | undefined;

  /** Connects over TLS and waits for the greeting. */
  static async connect(port: number, options: ConnectionOptions = {}): Promise<TestClient> {
    const client = new TestClient();
    const socket = connect({
      host: "127.0.0.1",
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ["sotto/1"],
      ...options,
    });
    await once(socket, "secureConnect");
    client.attachSocket(socket);
    await client.until(() => client.hello !== undefined || client.isGone);
    return client;
  }

  attachSocket(socket: TLSSocket): void {
    socket.on("data", (bytes: Buffer) => this.receive(bytes));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.gone());
    this.wire = {
      write: (bytes) => void socket.write(bytes),
      destroy: () => void socket.destroy(),
      pause: () => void socket.pause(),
      binding: tlsBinding(
        socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)),
      ),
    };
  }

  receive(bytes: Uint8Array): void {
    for (const frame of this.#decoder.push(bytes)) this.#take(frame);
    this.#wake();
  }

  gone(): void {
    this.isGone = true;
    for (const resolve of this.#answers.values()) resolve({ case: undefined });
    this.#wake();
  }

  write(bytes: Uint8Array): void {
    this.wire?.write(bytes);
  }

  /** Sends a request; resolves with its answer, or with no case where the connection ends first. */
  request(body: RequestBody, stream = this.#nextStream++): Promise<Response["body"]> {
    this.#nextStream = Math.max(this.#nextStream, stream + 1);
    return new Promise((resolve) => {
      this.#answers.set(stream, resolve);
      this.write(encodeRequest(stream, { body }));
    });
  }

  /** What an Authenticate of this device on this connection says. */
  async claim(device: TestDevice, quiet = false): Promise<Omit<Authenticate, "$typeName">> {
    if (!this.hello || !this.wire) throw new Error("not greeted");
    const clientNonce = new Uint8Array(32).fill(7);
    const input = authInput({
      serverKey: this.hello.serverKey,
      serverNonce: this.hello.nonce,
      clientNonce,
      device: fromHex(device.device),
      binding: this.wire.binding,
    });
    const signature = await device.auth.sign(input);
    return {
      protocolVersion: 1,
      device: fromHex(device.device),
      nonce: clientNonce,
      signature,
      quiet,
    };
  }

  async logIn(device: TestDevice, quiet = false): Promise<Response["body"]> {
    return await this.request({ case: "authenticate", value: await this.claim(device, quiet) });
  }

  /** Resolves when `condition` holds; fails after five seconds. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + 5000;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`waited in vain for ${condition}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20);
        this.#changed.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  [Symbol.dispose](): void {
    this.wire?.destroy();
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case FrameType.hello:
        this.hello = decodeHello(frame);
        break;
      case FrameType.response: {
        const { body } = decodeResponse(frame);
        const answer = this.#answers.get(frame.stream);
        this.#answers.delete(frame.stream);
        if (answer) answer(body);
        else this.late.push(body);
        break;
      }
      case FrameType.event:
        this.events.push(decodeEvent(frame).body);
        break;
      case FrameType.record:
        this.records.push(decodeRecord(frame));
        break;
      case FrameType.media:
        this.media.push({ ...frame, body: frame.body.slice() });
        break;
      case FrameType.close:
        this.closed = decodeClose(frame);
        break;
    }
  }

  #wake(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}
