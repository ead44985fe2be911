import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { MediaLibrary, ObjectOptions, OpenedMedia } from "@sotto/sdk";
import { parseRange } from "./byte-range.ts";

/** What players are told of a served object. */
export interface ServedMedia extends AsyncDisposable {
  readonly url: string;
  readonly bytes: number;
  readonly name: string;
  readonly mime: string;
}

/**
 * Serves opened media on loopback with Range requests, so that any player can seek. An address holds a
 * random token and works only while the command that asked for it runs. Nothing is written to disk.
 */
export class WatchServer implements AsyncDisposable {
  readonly #library: MediaLibrary;
  readonly #server: Server;
  readonly #served = new Map<string, OpenedMedia>();

  private constructor(library: MediaLibrary) {
    this.#library = library;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => {
        if (response.headersSent) response.destroy();
        else response.writeHead(500).end();
      });
    });
  }

  static async start(library: MediaLibrary): Promise<WatchServer> {
    const server = new WatchServer(library);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  async serve(object: string, options: ObjectOptions): Promise<ServedMedia> {
    const opened = await this.#library.open(object, options);
    const token = randomBytes(24).toString("base64url");
    this.#served.set(token, opened);
    const { port } = this.#server.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}/${token}/${encodeURIComponent(opened.name) || "media"}`,
      bytes: opened.bytes,
      name: opened.name,
      mime: opened.mime,
      [Symbol.asyncDispose]: async () => void this.#served.delete(token),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #find(path: string): OpenedMedia | undefined {
    const asked = Buffer.from(path.split("/")[1] ?? "");
    for (const [token, opened] of this.#served) {
      const known = Buffer.from(token);
      if (known.length === asked.length && timingSafeEqual(known, asked)) return opened;
    }
    return undefined;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const opened = this.#find(request.url ?? "");
    if (!opened) return void response.writeHead(404).end();
    if (request.method !== "GET" && request.method !== "HEAD")
      return void response.writeHead(405).end();
    const range = parseRange(request.headers.range, opened.bytes);
    if (range === "unsatisfiable") {
      return void response.writeHead(416, { "content-range": `bytes */${opened.bytes}` }).end();
    }
    const { start, end } = range ?? { start: 0, end: opened.bytes };
    response.writeHead(range ? 206 : 200, {
      "content-type": servedType(opened.mime),
      "x-content-type-options": "nosniff",
      "content-length": end - start,
      "accept-ranges": "bytes",
      "cache-control": "no-store",
      ...(range ? { "content-range": `bytes ${start}-${end - 1}/${opened.bytes}` } : {}),
    });
    if (request.method === "HEAD") return void response.end();
    await stream(opened, start, end, response);
  }
}

/** What a player may be told: the sender chose it, so nothing that a browser would run, or that is no type. */
export function servedType(mime: string): string {
  const isType = mime.length <= 100 && /^[\w.+-]+\/[\w.+-]+$/.test(mime);
  const isActive = /html|xml|svg|script|pdf|multipart|x-mixed/i.test(mime);
  return isType && !isActive ? mime : "application/octet-stream";
}

async function stream(
  opened: OpenedMedia,
  start: number,
  end: number,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    for await (const bytes of opened.read(start, end, gone.signal)) {
      if (gone.signal.aborted) return;
      if (!response.write(bytes))
        await Promise.race([once(response, "drain"), once(response, "close")]);
    }
    response.end();
  } catch {
    // The length was promised: cutting the connection tells the player that it did not get it all.
    response.destroy();
  }
}
