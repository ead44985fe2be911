import { type BlockList, createServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import type { Clock } from "@sotto/clock";
import type { Wire } from "../connection/wire.ts";
import { AddressLimits } from "./address-limits.ts";
import { Arrival, loginDeadline } from "./arrival.ts";
import { HttpSite } from "./http-site.ts";
import { isProxy, proxyNetworks } from "./proxy-networks.ts";
import { readProxyHeader } from "./proxy-peer.ts";
import { TlsWire } from "./tls-wire.ts";
import { WebSocketWire } from "./web-socket-wire.ts";

/** A private key and its certificate chain, PEM. */
export interface TlsIdentity {
  readonly key: string;
  readonly certificate: string;
}

/** The identity that connections are shown, and what the server's identity key vouched for. */
export interface VouchedIdentity extends TlsIdentity {
  readonly spkiSha256: Uint8Array;
}

/** Why a connection was refused before TLS. */
export type Refusal = "full" | "address" | "draining";

export interface ListenerOptions {
  readonly clock: Clock;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tls: VouchedIdentity;
  /** Addresses and networks of proxies whose PROXY header is required and believed. */
  readonly proxies: readonly string[];
  readonly origins: readonly string[] | undefined;
  readonly loginTimeoutMs: number;
  readonly connectionsMax: number;
  readonly beforeLoginPerAddressMax: number;
  readonly perAddressBurst: number;
  readonly perAddressPerSecond: number;
  readonly requestsPerAddressBurst: number;
  readonly requestsPerAddressPerSecond: number;
  readonly webSocketMessageBytesMax: number;
  readonly webSocketMessageBytesBeforeLoginMax: number;
  /** A client is there, TLS stands, and its frames may flow once the wire is opened. */
  readonly opened: (wire: Wire, arrival: Arrival) => void;
  readonly refused: (why: Refusal) => void;
}

const alpnFrames = "sotto/1";
const alpnHttp = "http/1.1";

/**
 * The one port. In front of TLS, which is what costs: the PROXY header of a configured proxy, the
 * bounds on connections and the rates of addresses. Behind it ALPN tells frames from HTTPS.
 */
export class Listener implements AsyncDisposable {
  readonly #options: ListenerOptions;
  readonly #limits: AddressLimits;
  readonly #server: Server;
  readonly #tls: TlsServer;
  readonly #site: HttpSite;
  readonly #proxies: BlockList;
  #shown: VouchedIdentity;
  /** Connections in the handshake or in HTTPS, by what their TLS socket is recognised by. */
  readonly #arrivals = new Map<string, Arrival>();
  readonly #webSocketArrivals = new WeakMap<object, Arrival>();
  readonly #sockets = new Set<Socket>();

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#proxies = proxyNetworks(options.proxies);
    this.#shown = options.tls;
    this.#limits = new AddressLimits({
      clock: options.clock,
      beforeLoginMax: options.beforeLoginPerAddressMax,
      burst: options.perAddressBurst,
      perSecond: options.perAddressPerSecond,
      requestBurst: options.requestsPerAddressBurst,
      requestsPerSecond: options.requestsPerAddressPerSecond,
    });
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#tls = createTlsServer({
      key: options.tls.key,
      cert: options.tls.certificate,
      minVersion: "TLSv1.3",
      ALPNProtocols: [alpnFrames, alpnHttp],
      handshakeTimeout: options.loginTimeoutMs,
    });
    this.#tls.on("secureConnection", (socket) => this.#secured(socket));
    this.#tls.on("tlsClientError", (_error, socket) => socket.destroy());
    this.#site = new HttpSite({
      messageBytesMax: options.webSocketMessageBytesMax,
      origins: options.origins,
      opened: (socket, stream, origin) => {
        const arrival = this.#webSocketArrivals.get(stream);
        if (!arrival) return socket.terminate();
        const { address } = arrival;
        const messageBytesMax = options.webSocketMessageBytesBeforeLoginMax;
        const wire = new WebSocketWire({ socket, stream, address, origin, messageBytesMax });
        options.opened(wire, arrival);
      },
    });
  }

  /** Resolves when the port is bound; rejects with the system's error where it cannot be. */
  static async start(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    await new Promise<void>((resolve, reject) => {
      listener.#server.once("error", reject);
      listener.#server.listen({ host: options.host, port: options.port }, () => {
        listener.#server.off("error", reject);
        resolve();
      });
    });
    return listener;
  }

  /** Where clients connect: host and port. */
  get address(): { readonly host: string; readonly port: number } {
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") throw new Error("the listener is closed");
    return { host: bound.address, port: bound.port };
  }

  /** Takes a new certificate for the connections that come from now on. */
  renew(tls: VouchedIdentity): void {
    // First what may throw: a connection must never be greeted with the proof for another key.
    this.#tls.setSecureContext({ key: tls.key, cert: tls.certificate, minVersion: "TLSv1.3" });
    this.#shown = tls;
  }

  /** Takes no more connections. Those that stand go on. */
  stopAccepting(): void {
    this.#server.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    this.#limits[Symbol.dispose]();
    await closed;
  }

  #accept(socket: Socket): void {
    const { clock, connectionsMax, loginTimeoutMs } = this.#options;
    const peer = socket.remoteAddress;
    if (peer === undefined || this.#sockets.size >= connectionsMax) {
      socket.destroy();
      this.#options.refused("full");
      return;
    }
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
    const deadline = loginDeadline(clock, loginTimeoutMs);
    if (!isProxy(this.#proxies, withoutMapping(peer))) {
      this.#arrive(socket, peer, deadline);
      return;
    }
    const waiting = deadline(() => socket.destroy());
    socket.once("close", () => waiting.cancel());
    readProxyHeader(socket, (address) => {
      waiting.cancel();
      this.#arrive(socket, address ?? peer, deadline);
    });
  }

  #arrive(socket: Socket, peer: string, deadline: ReturnType<typeof loginDeadline>): void {
    const address = withoutMapping(peer);
    const entered = this.#limits.enter(address);
    if (!entered) {
      socket.destroy();
      this.#options.refused("address");
      return;
    }
    const arrival = new Arrival({
      address,
      spkiSha256: this.#shown.spkiSha256,
      deadline,
      ...entered,
      expired: () => socket.destroy(),
    });
    const key = keyOf(socket);
    this.#arrivals.set(key, arrival);
    socket.once("close", () => {
      arrival.settle();
      this.#arrivals.delete(key);
    });
    this.#tls.emit("connection", socket);
  }

  #secured(socket: TLSSocket): void {
    const key = keyOf(socket);
    const arrival = this.#arrivals.get(key);
    if (!arrival) return void socket.destroy();
    this.#arrivals.delete(key);
    arrival.whenExpired(() => socket.destroy());
    if (socket.alpnProtocol === alpnFrames) {
      this.#options.opened(new TlsWire(socket, arrival.address), arrival);
      return;
    }
    this.#webSocketArrivals.set(socket, arrival);
    socket.on("error", () => socket.destroy());
    this.#site.serve(socket);
  }
}

/** A TCP connection's two ends are its name while it lives. */
function keyOf(socket: Socket): string {
  return `${socket.remoteAddress}|${socket.remotePort}`;
}

function withoutMapping(address: string): string {
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}
