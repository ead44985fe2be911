import { SottoClientError } from "../errors.ts";
import type { Transport } from "../ports/transport.ts";

const sendBufferBytesMax = 1024 * 1024;
const drainPollMs = 10;

/** WebSocket as browsers have it. The platform hides the certificate, so a CA or loopback vouches for it. */
export const webSocketTransport: Transport = {
  connect(address, events, signal) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const host = address.host.includes(":") ? `[${address.host}]` : address.host;
      const socket = new WebSocket(`wss://${host}:${address.port}/ws`, "sotto.v1");
      socket.binaryType = "arraybuffer";
      const abort = () => socket.close();
      signal.addEventListener("abort", abort, { once: true });
      const unopened = () => {
        reject(
          signal.aborted
            ? signal.reason
            : new SottoClientError("NOT_REACHABLE", `no connection to ${host}`),
        );
      };
      socket.addEventListener("close", unopened);
      socket.addEventListener("message", (event) =>
        events.data(new Uint8Array(event.data as ArrayBuffer)),
      );
      const reportDrained = () => {
        if (socket.bufferedAmount === 0) events.drained();
        else setTimeout(reportDrained, drainPollMs);
      };
      socket.addEventListener("open", () => {
        signal.removeEventListener("abort", abort);
        socket.removeEventListener("close", unopened);
        socket.addEventListener("close", (event) =>
          events.closed(event.reason || "the connection was closed"),
        );
        resolve({
          binding: {
            kind: "origin",
            origin: (globalThis as { location?: { origin: string } }).location?.origin ?? "",
          },
          peerKeySha256: undefined,
          send(bytes) {
            socket.send(bytes as Uint8Array<ArrayBuffer>);
            const room = socket.bufferedAmount < sendBufferBytesMax;
            if (!room) reportDrained();
            return room;
          },
          close: () => socket.close(),
        });
      });
    });
  },
};
