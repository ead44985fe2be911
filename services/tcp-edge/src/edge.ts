import type { Bus } from "@sotto/bus";
import type { Logger, Metrics } from "@sotto/chassis";
import type { Clock } from "@sotto/clock";
import type { Log } from "@sotto/log";
import type { MediaLink } from "@sotto/media-link";
import { frameHeaderBytes } from "@sotto/protocol";
import { ByteBudget } from "./byte-budget.ts";
import { loadCertificate } from "./certificate.ts";
import { CertificateWatch } from "./certificate-watch.ts";
import { Connection } from "./connection/connection.ts";
import { Connections } from "./connection/connections.ts";
import { FlushTurn } from "./connection/flush-turn.ts";
import type { EdgeParts } from "./connection/parts.ts";
import type { EdgeConfig } from "./edge-config.ts";
import { edgeLimits } from "./edge-limits.ts";
import { EdgeEvents } from "./events.ts";
import { Listener } from "./listener/listener.ts";
import { secureRandom } from "./secure-random.ts";
import { ServerVoucher } from "./server-voucher.ts";
import { ServiceCalls } from "./service-calls.ts";
import { startSharedParts } from "./shared-parts.ts";

export interface EdgeDeps {
  readonly bus: Bus;
  readonly log: Log;
  readonly mediaLink: MediaLink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly config: EdgeConfig;
  /** Cryptographically secure random bytes; default: the system's. */
  readonly random?: (length: number) => Uint8Array;
}

/** Of the memory for pieces, one user's part. */
const uploadShareMax = 1 / 4;

/** A running edge. Disposing drains it first. The ports that it was given stay open. */
export interface Edge extends AsyncDisposable {
  /** True while clients can log in and are delivered to. */
  ready(): boolean;
  /** Where it listens. */
  readonly address: { readonly host: string; readonly port: number };
  /**
   * Takes no more connections, tells clients when to come back, and ends their connections.
   * Resolves when none is left, or a few seconds later when the rest was cut off.
   */
  drain(): Promise<void>;
}

/**
 * Starts an edge: clients on one side, the bus, the log and the media service on the other.
 * Resolves when the port is bound and the keyserver vouched for the certificate and confirmed the
 * rosters. Rejects with `CertificateError`, or with the system's error where the port cannot be bound.
 */
export async function startEdge(deps: EdgeDeps): Promise<Edge> {
  const { clock, config, bus, log, mediaLink } = deps;
  const randomBytes = deps.random ?? secureRandom;
  const limits = edgeLimits(config.limits);
  const { uploadBytesMax = 256 * 1024 * 1024 } = config;
  const events = new EdgeEvents(deps.logger, deps.metrics);
  const calls = new ServiceCalls(bus);
  await using stack = new AsyncDisposableStack();
  const certificate = await loadCertificate(config.certificate, clock.now());
  const { spkiSha256 } = certificate;
  const voucher = stack.use(
    await ServerVoucher.start({ clock, calls, spkiSha256, failed: (e) => events.certifyFailed(e) }),
  );
  const connections = new Connections({ clock, limits, config, randomBytes, events });
  const parts: EdgeParts = {
    limits,
    clock,
    randomBytes,
    events,
    calls,
    voucher,
    mediaLink,
    turn: new FlushTurn(),
    uploadBudget: new ByteBudget(uploadBytesMax, Math.ceil(uploadBytesMax * uploadShareMax)),
    ...(await startSharedParts(stack, {
      bus,
      log,
      clock,
      calls,
      config,
      limits,
      events,
      connections,
      randomBytes,
    })),
  };
  const listener = await Listener.start({
    clock,
    host: config.host ?? "127.0.0.1",
    port: config.port,
    tls: certificate,
    proxies: config.proxies ?? [],
    origins: config.origins,
    loginTimeoutMs: limits.loginTimeoutMs,
    connectionsMax: config.connectionsMax ?? 20_000,
    beforeLoginPerAddressMax: limits.connectionsBeforeLoginPerAddressMax,
    perAddressBurst: config.connectionsPerAddressBurst ?? 1000,
    perAddressPerSecond: config.connectionsPerAddressPerSecond ?? 100,
    requestsPerAddressBurst: config.requestsPerAddressBurst ?? 400,
    requestsPerAddressPerSecond: config.requestsPerAddressPerSecond ?? 40,
    webSocketMessageBytesMax: limits.frameBytesMax + frameHeaderBytes,
    webSocketMessageBytesBeforeLoginMax: limits.frameBytesBeforeLoginMax + frameHeaderBytes,
    opened: (wire, arrival) => connections.add(new Connection(wire, arrival, parts)),
    refused: (why) => events.refused(why),
  });
  stack.use(listener);
  stack.use(
    new CertificateWatch({
      clock,
      source: config.certificate,
      current: certificate,
      voucher,
      periodMs: config.certificatePeriodMs ?? 10_000,
      changed(renewed) {
        listener.renew(renewed);
        events.certificateRenewed(renewed.expiresAtMs);
      },
      failed: (error) => events.certificateFailed(error),
    }),
  );
  stack.use(connections);
  events.watch({
    connections: () => connections.size,
    rooms: () => parts.rooms.size,
    outboxBytes: () => connections.outboxBytes,
    uploadBytes: () => parts.uploadBudget.takenBytes,
    ready: () => parts.confirmation.holds && voucher.holds,
  });
  events.certificateShown(certificate.expiresAtMs);
  events.listening(listener.address.host, listener.address.port);
  const { address } = listener;
  const running = stack.move();
  const drain = async () => {
    listener.stopAccepting();
    await connections.drain();
  };
  return {
    address,
    ready: () => parts.confirmation.holds && voucher.holds && !connections.draining,
    drain,
    async [Symbol.asyncDispose]() {
      await drain();
      await running.disposeAsync();
    },
  };
}
