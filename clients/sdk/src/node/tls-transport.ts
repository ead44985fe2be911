import { createHash } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";
import { SottoClientError } from "../errors.ts";
import type {
  ServerAddress,
  Transport,
  TransportConnection,
  TransportEvents,
} from "../ports/transport.ts";

const connectTimeoutMs = 10_000;

/**
 * TLS 1.3 over TCP, ALPN `sotto/1`. The certificate is not judged by authorities: the core checks that
 * the server identity key, which the invite pinned, vouches for its public key.
 */
export const tlsTransport: Transport = {
  connect(address, events, signal) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const socket = connect({
        host: address.host,
        port: address.port,
        ALPNProtocols: ["sotto/1"],
        minVersion: "TLSv1.3",
        rejectUnauthorized: false,
      });
      socket.setNoDelay(true);
      socket.setTimeout(connectTimeoutMs);
      const fail = (error: Error) => {
        socket.destroy();
        reject(signal.aborted ? signal.reason : unreachable(address, error));
      };
      const abort = () => fail(new Error("aborted"));
      signal.addEventListener("abort", abort, { once: true });
      socket.once("error", fail);
      socket.once("timeout", () => fail(new Error("no answer")));
      socket.once("secureConnect", () => {
        signal.removeEventListener("abort", abort);
        socket.removeAllListeners("timeout");
        socket.setTimeout(0);
        socket.off("error", fail);
        if (socket.alpnProtocol !== "sotto/1") return fail(new Error("that is not a Sotto server"));
        resolve(wrap(socket, events));
      });
    });
  },
};

function unreachable(address: ServerAddress, error: Error): SottoClientError {
  const code = (error as NodeJS.ErrnoException).code;
  return new SottoClientError(
    "NOT_REACHABLE",
    `no connection to ${address.host}:${address.port} (${code ?? error.message})`,
    { cause: error },
  );
}

function wrap(socket: TLSSocket, events: TransportEvents): TransportConnection {
  let reason = "the server closed the connection";
  socket.on("data", (bytes) => events.data(bytes));
  socket.on("drain", () => events.drained());
  socket.on("error", (error: NodeJS.ErrnoException) => {
    reason = error.code ?? error.message;
  });
  socket.once("close", () => events.closed(reason));
  const certificate = socket.getPeerX509Certificate();
  const spki = certificate?.publicKey.export({ type: "spki", format: "der" });
  return {
    binding: {
      kind: "exporter",
      exporter: socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)),
    },
    peerKeySha256: spki && createHash("sha256").update(spki).digest(),
    send: (bytes) => socket.write(bytes),
    close: () => socket.destroySoon(),
  };
}
