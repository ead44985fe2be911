import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  authorised,
  codeHeader,
  type LinkRequest,
  parseRequest,
  pieceBytesMax,
  statusOf,
} from "../link-wire.ts";
import { type MediaHandler, MediaLinkError, type MediaLinkServer } from "../media-link.ts";

export interface ServeHttpMediaLinkOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly token: string;
  readonly handler: MediaHandler;
}

/** The media service's side, listening. */
export interface HttpMediaLinkServer extends MediaLinkServer {
  readonly address: { readonly host: string; readonly port: number };
}

/** Serves a handler over HTTP. Rejects where the port cannot be had. */
export async function serveHttpMediaLink(
  options: ServeHttpMediaLinkOptions,
): Promise<HttpMediaLinkServer> {
  const stopping = new AbortController();
  const server = createServer(
    (asked, answer) => void serveOne(options, stopping.signal, asked, answer),
  );
  server.requestTimeout = 60_000;
  server.headersTimeout = 10_000;
  server.listen(options.port, options.host);
  await Promise.race([
    once(server, "listening"),
    once(server, "error").then(([error]) => Promise.reject(error)),
  ]);
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: options.host, port },
    [Symbol.asyncDispose]: () => close(server, stopping),
  };
}

async function close(server: Server, stopping: AbortController): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort(new MediaLinkError("UNAVAILABLE", "the media service is stopping"));
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

async function serveOne(
  options: ServeHttpMediaLinkOptions,
  stopping: AbortSignal,
  asked: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  answer.on("error", () => {});
  if (!authorised(asked.headers.authorization, options.token)) {
    answer.writeHead(401).end();
    return;
  }
  const wanted = parseRequest(asked.method, asked.url);
  if (!wanted) {
    answer.writeHead(400).end();
    return;
  }
  try {
    if (wanted.kind === "open") await stream(options.handler, stopping, wanted, answer);
    else await takePiece(options.handler, wanted, asked, answer);
  } catch (error) {
    refuse(answer, error);
  }
}

async function stream(
  handler: MediaHandler,
  stopping: AbortSignal,
  wanted: Extract<LinkRequest, { kind: "open" }>,
  answer: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  answer.once("close", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, stopping]);
  for await (const bytes of handler.open(wanted, signal)) {
    if (signal.aborted) break;
    if (!answer.write(bytes)) await Promise.race([once(answer, "drain"), once(answer, "close")]);
  }
  // A stream that was cut short must not look like one that ended.
  if (signal.aborted) answer.destroy();
  else answer.end();
}

async function takePiece(
  handler: MediaHandler,
  { room, object, piece }: Extract<LinkRequest, { kind: "piece" }>,
  asked: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const length = Number(asked.headers["content-length"]);
  if (!Number.isSafeInteger(length) || length > pieceBytesMax)
    throw new MediaLinkError("TOO_LARGE", "the piece is too large");
  const data = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  for await (const bytes of asked as AsyncIterable<Buffer>) {
    if (filled + bytes.length > length)
      throw new MediaLinkError("TOO_LARGE", "the piece is too large");
    filled += bytes.copy(data, filled);
  }
  if (filled !== length) throw new MediaLinkError("BAD_RANGE", "the piece was cut off");
  const { piecesDurable } = await handler.putPiece({ room, object, piece, data });
  answer.writeHead(200, { "sotto-pieces-durable": piecesDurable }).end();
}

function refuse(answer: ServerResponse, error: unknown): void {
  if (answer.headersSent || answer.destroyed) {
    answer.destroy();
    return;
  }
  const code = error instanceof MediaLinkError ? error.code : "UNAVAILABLE";
  answer.writeHead(statusOf[code], { [codeHeader]: code }).end();
}
