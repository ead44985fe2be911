import type { Socket } from "node:net";
import { parseProxyHeader, proxyHeaderBytesMax } from "./proxy-protocol.ts";

/**
 * Reads the PROXY header of a connection from a configured proxy, and puts what follows it back.
 * `done` gets the address that it carries, or undefined where the proxy speaks for itself. A
 * connection without a readable header is destroyed.
 */
export function readProxyHeader(socket: Socket, done: (address: string | undefined) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const read = () => {
    for (let chunk = nextChunk(socket); chunk; chunk = nextChunk(socket)) {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const header = parseProxyHeader(seen);
      if (header.kind === "partial" && seen.length < proxyHeaderBytesMax) continue;
      socket.off("readable", read);
      if (header.kind !== "header") {
        socket.destroy();
        return;
      }
      const rest = seen.subarray(header.headerBytes);
      if (rest.length > 0) socket.unshift(rest);
      done(header.address);
      return;
    }
  };
  socket.on("readable", read);
}

function nextChunk(socket: Socket): Buffer | undefined {
  const chunk: Buffer | null = socket.read();
  return chunk ?? undefined;
}
