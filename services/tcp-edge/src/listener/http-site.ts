import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { invitePage, invitePageHeaders } from "./invite-page.ts";
import { originOf } from "./origin.ts";

export interface HttpSiteOptions {
  /** A WebSocket message's bytes. */
  readonly messageBytesMax: number;
  /** Origins that may open a WebSocket; undefined: those that name this very server. */
  readonly origins: readonly string[] | undefined;
  readonly opened: (socket: WebSocket, stream: Duplex, origin: string) => void;
}

const subprotocol = "sotto.v1";
const headerBytesMax = 8 * 1024;
/** Each is an object of its own until its message is whole. */
const fragmentsMax = 1024;

/** What the port serves over HTTPS: the invite page at `/i`, frames at `/ws`, and nothing else. */
export class HttpSite {
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  readonly #options: HttpSiteOptions;

  constructor(options: HttpSiteOptions) {
    this.#options = options;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.messageBytesMax,
      maxFragments: fragmentsMax,
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    });
    this.#server = createServer({ maxHeaderSize: headerBytesMax }, respond);
    this.#server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) =>
      this.#upgrade(request, stream, head),
    );
    this.#server.on("clientError", (_error, stream: Duplex) => stream.destroy());
  }

  /** Serves one connection, whose TLS stands. */
  serve(stream: Duplex): void {
    this.#server.emit("connection", stream);
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const origin = originOf(request.headers.origin, request.headers.host, this.#options.origins);
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(/\s*,\s*/);
    if (pathOf(request) !== "/ws" || origin === undefined || !offered.includes(subprotocol)) {
      const status = pathOf(request) !== "/ws" ? "404 Not Found" : "403 Forbidden";
      stream.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    this.#webSockets.handleUpgrade(request, stream, head, (socket) =>
      this.#options.opened(socket, stream, origin),
    );
  }
}

function respond(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader("connection", "close");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
  } else if (pathOf(request) === "/i") {
    response.writeHead(200, invitePageHeaders).end(request.method === "GET" ? invitePage : "");
  } else {
    response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}
