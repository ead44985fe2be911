import {
  type MediaHandler,
  type MediaLink,
  MediaLinkError,
  type MediaLinkServer,
  type OpenRequest,
  type PutPieceRequest,
} from "./media-link.ts";

/** Both ends of a link within one process. */
export interface InProcessMediaLink {
  readonly link: MediaLink;
  /** Begins to answer the link's calls. Before, and after its disposal, they reject with UNAVAILABLE. */
  serve(handler: MediaHandler): MediaLinkServer;
}

/** A link of function calls. Bytes are handed over without a copy: the consumer owns what it takes. */
export function createInProcessMediaLink(): InProcessMediaLink {
  const link = new InProcessLink();
  return {
    link,
    serve: (handler) => {
      link.serve(handler);
      return { [Symbol.asyncDispose]: async () => link.stop() };
    },
  };
}

class InProcessLink implements MediaLink {
  #handler: MediaHandler | undefined;
  #stop = new AbortController();

  serve(handler: MediaHandler): void {
    this.#handler = handler;
    this.#stop = new AbortController();
  }

  stop(): void {
    this.#handler = undefined;
    this.#stop.abort(unavailable());
  }

  async *open(
    request: OpenRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const handler = this.#serving();
    const stopped = this.#stop.signal;
    const either = AbortSignal.any([signal, stopped]);
    signal.throwIfAborted();
    let received = 0;
    // The consumer pulls: nothing is read before it asks, so nothing piles up.
    for await (const bytes of handler.open(request, either)) {
      if (either.aborted) break;
      received += bytes.length;
      yield bytes;
    }
    signal.throwIfAborted();
    if (stopped.aborted) throw stopped.reason;
    if (received > request.length)
      throw new MediaLinkError("UNAVAILABLE", "more bytes came than were asked for");
  }

  async putPiece(
    request: PutPieceRequest,
    signal: AbortSignal,
  ): Promise<{ piecesDurable: number }> {
    const handler = this.#serving();
    signal.throwIfAborted();
    return await handler.putPiece({ ...request, data: request.data.slice() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
  }

  #serving(): MediaHandler {
    if (!this.#handler) throw unavailable();
    return this.#handler;
  }
}

function unavailable(): MediaLinkError {
  return new MediaLinkError("UNAVAILABLE", "the media service cannot be reached");
}
