import { createHash } from "node:crypto";
import type { TLSSocket } from "node:tls";
import WebSocket from "ws";
import { SottoClientError } from "../errors.ts";
import type { Transport } from "../ports/transport.ts";

/** The same frames over WebSocket from Node, where a proxy or firewall lets only HTTPS through. */
export const nodeWebSocketTransport: Transport = {
  connect(address, events, signal) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const host = address.host.includes(":") ? `[${address.host}]` : address.host;
      const origin = `https://${host}:${address.port}`;
      const socket = new WebSocket(`wss://${host}:${address.port}/ws`, "sotto.v1", {
        origin,
        rejectUnauthorized: false,
        minVersion: "TLSv1.3",
        perMessageDeflate: false,
        handshakeTimeout: 10_000,
      });
      socket.binaryType = "nodebuffer";
      let peerKeySha256: Uint8Array | undefined;
      let reason = "the server closed the connection";
      const abort = () => socket.terminate();
      signal.addEventListener("abort", abort, { once: true });
      socket.once("upgrade", (response) => {
        const certificate = (response.socket as TLSSocket).getPeerX509Certificate();
        const spki = certificate?.publicKey.export({ type: "spki", format: "der" });
        peerKeySha256 = spki && createHash("sha256").update(spki).digest();
      });
      socket.on("error", (error) => {
        reason = error.message;
        reject(
          signal.aborted
            ? signal.reason
            : new SottoClientError("NOT_REACHABLE", `no connection to ${origin} (${reason})`),
        );
      });
      socket.on("message", (data) => events.data(data as Buffer));
      socket.once("open", () => {
        signal.removeEventListener("abort", abort);
        socket.once("close", () => events.closed(reason));
        resolve({
          binding: { kind: "origin", origin },
          peerKeySha256,
          send(bytes) {
            socket.send(bytes, () => {
              if (socket.bufferedAmount === 0) events.drained();
            });
            return socket.bufferedAmount < sendBufferBytesMax;
          },
          close: () => socket.close(),
        });
      });
    });
  },
};

const sendBufferBytesMax = 1024 * 1024;
