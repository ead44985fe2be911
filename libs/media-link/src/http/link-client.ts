import { Agent, type IncomingMessage, request } from "node:http";
import { type Clock, systemClock } from "@sotto/clock";
import { codeHeader, errorOf } from "../link-wire.ts";
import {
  type MediaLink,
  MediaLinkError,
  type OpenRequest,
  type PutPieceRequest,
} from "../media-link.ts";
import { Replicas } from "./replicas.ts";

export interface HttpMediaLinkOptions {
  /** `http://host:port` of the media service; behind the name there may be several. */
  readonly baseUrl: string;
  /** Shared by edges and media services. Secret. */
  readonly token: string;
  /** Connections kept to each service. Default 256 to read and 256 to write. */
  readonly connectionsMax?: number;
  readonly clock?: Clock;
  /** Addresses of a name; default: the system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** A service that does not begin to answer in this time is passed over. Default 3,000. */
  readonly answerWithinMs?: number;
  /** A piece is answered only when it is on the disk. Default 10,000. */
  readonly storedWithinMs?: number;
}

/** The edge's side over HTTP/1.1 streams on pooled, kept connections. */
export function connectHttpMediaLink(options: HttpMediaLinkOptions): MediaLink {
  return new HttpMediaLink(options);
}

interface Question {
  readonly method: "GET" | "PUT";
  readonly path: string;
  readonly body?: Uint8Array;
  readonly withinMs: number;
}

class HttpMediaLink implements MediaLink {
  readonly #options: HttpMediaLinkOptions;
  readonly #url: URL;
  readonly #clock: Clock;
  /** Uploads have connections of their own: readers who take nothing hold theirs. */
  readonly #agents: { readonly GET: Agent; readonly PUT: Agent };
  readonly #replicas: Replicas;

  constructor(options: HttpMediaLinkOptions) {
    this.#options = options;
    this.#url = new URL(options.baseUrl);
    this.#clock = options.clock ?? systemClock;
    const agent = () => new Agent({ keepAlive: true, maxSockets: options.connectionsMax ?? 256 });
    this.#agents = { GET: agent(), PUT: agent() };
    this.#replicas = new Replicas({
      host: this.#url.hostname.replace(/^\[|\]$/g, ""),
      clock: this.#clock,
      ...(options.resolve ? { resolve: options.resolve } : {}),
    });
  }

  async *open(
    wanted: OpenRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    signal.throwIfAborted();
    const { room, object, offset, length } = wanted;
    const path = `/open/${room}/${object}?offset=${offset}&length=${length}`;
    const withinMs = this.#options.answerWithinMs ?? 3000;
    const response = await this.#ask(object, { method: "GET", path, withinMs }, signal);
    // Only while bytes are waited for: a client that takes none stops the clock.
    const stalled = () => response.destroy(new Error("no bytes came"));
    let received = 0;
    let waiting = this.#clock.after(withinMs, stalled);
    try {
      for await (const bytes of response as AsyncIterable<Buffer>) {
        waiting.cancel();
        received += bytes.length;
        yield bytes;
        waiting = this.#clock.after(withinMs, stalled);
      }
    } catch (cause) {
      signal.throwIfAborted();
      throw new MediaLinkError("UNAVAILABLE", "the media service broke off", { cause });
    } finally {
      waiting.cancel();
      // Leaving early frees the other side at once; a stream that ended goes back to the pool.
      if (!response.readableEnded) response.destroy();
    }
    if (received > length)
      throw new MediaLinkError("UNAVAILABLE", "more bytes came than were asked for");
  }

  async putPiece(wanted: PutPieceRequest, signal: AbortSignal): Promise<{ piecesDurable: number }> {
    signal.throwIfAborted();
    const { room, object, piece, data } = wanted;
    const path = `/piece/${room}/${object}/${piece}`;
    const withinMs = this.#options.storedWithinMs ?? 10_000;
    const response = await this.#ask(object, { method: "PUT", path, body: data, withinMs }, signal);
    response.resume();
    const piecesDurable = Number(response.headers["sotto-pieces-durable"]);
    if (!Number.isSafeInteger(piecesDurable))
      throw new MediaLinkError("UNAVAILABLE", "the answer cannot be read");
    return { piecesDurable };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agents.GET.destroy();
    this.#agents.PUT.destroy();
  }

  /**
   * Asks one service after another until one answers. Asking again is harmless: bytes under an object never change,
   * and a piece that stands already is answered as one that was stored now.
   */
  async #ask(object: string, question: Question, signal: AbortSignal): Promise<IncomingMessage> {
    let failure: unknown;
    for (const address of await this.#addresses(object)) {
      try {
        return await this.#askOne(address, question, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof MediaLinkError && error.code !== "UNAVAILABLE") throw error;
        this.#replicas.avoid(address);
        failure = error;
      }
    }
    throw new MediaLinkError("UNAVAILABLE", "the media service cannot be reached", {
      cause: failure,
    });
  }

  async #addresses(object: string): Promise<readonly string[]> {
    try {
      return await this.#replicas.for(object);
    } catch (cause) {
      throw new MediaLinkError("UNAVAILABLE", "the media service is not to be found", { cause });
    }
  }

  /** Sends a request; resolves with a response that is not a refusal. */
  #askOne(
    address: string,
    { method, path, body, withinMs }: Question,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const asked = request({
        host: address,
        port: this.#url.port,
        path,
        method,
        agent: this.#agents[method],
        signal,
        headers: {
          host: this.#url.host,
          authorization: `Bearer ${this.#options.token}`,
          ...(body ? { "content-length": body.length } : {}),
        },
      });
      const late = this.#clock.after(withinMs, () =>
        asked.destroy(new Error(`no answer in ${withinMs} ms`)),
      );
      asked.once("error", (error) => {
        late.cancel();
        reject(error);
      });
      asked.once("response", (response) => {
        late.cancel();
        if (response.statusCode === 200) return resolve(response);
        response.resume();
        const code = response.headers[codeHeader];
        reject(
          errorOf(
            typeof code === "string" ? code : undefined,
            `the media service refused (${response.statusCode})`,
          ),
        );
      });
      asked.end(body);
    });
  }
}
