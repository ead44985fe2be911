import type { Logger, Metrics } from "@sotto/chassis";
import { CloseCode } from "@sotto/protocol";
import type { LoginFailure } from "./session/effect.ts";

/** Values that are asked for when the metrics are read. */
export interface EdgeGauges {
  readonly connections: () => number;
  readonly rooms: () => number;
  readonly outboxBytes: () => number;
  readonly uploadBytes: () => number;
  /** False while logins and delivery stand still. */
  readonly ready: () => boolean;
}

/** Every metric and log line of the edge. Nothing here takes payloads, names or addresses. */
export class EdgeEvents {
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #connections;
  readonly #refused;
  readonly #logins;
  readonly #loginsFailed;
  readonly #appended;
  readonly #delivered;
  readonly #gaps;
  readonly #tooSlow;
  readonly #closed;
  readonly #crashes;
  readonly #cannotOpen;
  readonly #mediaSent;
  readonly #mediaReceived;
  readonly #certificateExpires;

  constructor(logger: Logger, metrics: Metrics) {
    const counter = (name: string, help: string) => metrics.counter({ name, help });
    this.#logger = logger;
    this.#metrics = metrics;
    this.#connections = counter("connections_total", "Connections whose TLS stood.");
    this.#refused = metrics.counter({
      name: "connections_refused_total",
      help: "Connections refused before TLS.",
      labels: ["why"],
    });
    this.#logins = metrics.counter({
      name: "logins_total",
      help: "Devices that logged in.",
      labels: ["transport"],
    });
    this.#loginsFailed = metrics.counter({
      name: "logins_failed_total",
      help: "Logins that were refused.",
      labels: ["reason"],
    });
    this.#appended = counter("messages_appended_total", "Messages acknowledged as durable.");
    this.#delivered = counter("records_delivered_total", "Live records handed to outboxes.");
    this.#gaps = counter("gaps_healed_total", "Times that a lost handshake record was looked for.");
    this.#tooSlow = counter("too_slow_total", "Connections closed because they read too slowly.");
    this.#closed = metrics.counter({
      name: "connections_closed_total",
      help: "Connections that the edge ended.",
      labels: ["code"],
    });
    this.#crashes = counter(
      "connection_crashes_total",
      "Connections ended by a defect of the edge.",
    );
    this.#cannotOpen = metrics.counter({
      of: "client",
      name: "cannot_open_total",
      help: "Messages that devices said they could not open.",
    });
    this.#mediaSent = counter("media_sent_bytes_total", "Sealed media bytes sent to clients.");
    this.#mediaReceived = counter("media_received_bytes_total", "Sealed media bytes from clients.");
    this.#certificateExpires = metrics.gauge({
      name: "certificate_expires_seconds",
      help: "When the certificate that clients are shown expires, Unix time.",
    });
  }

  /** Registers what is read off the running edge. Once. */
  watch(gauges: EdgeGauges): void {
    const gauge = (name: string, help: string, value: () => number) =>
      this.#metrics.gaugeOf({ name, help }, value);
    gauge("connections", "Connections whose TLS stands.", gauges.connections);
    gauge("rooms", "Rooms that are read here.", gauges.rooms);
    gauge("outbox_bytes", "Bytes that wait to be written to clients.", gauges.outboxBytes);
    gauge("upload_bytes", "Memory that pieces being uploaded take.", gauges.uploadBytes);
    gauge("ready", "1 while clients can log in and are delivered to.", () =>
      gauges.ready() ? 1 : 0,
    );
  }

  listening(host: string, port: number): void {
    this.#logger.info("the edge is open", { host, port });
  }

  connected(): void {
    this.#connections.add(1);
  }

  refused(why: "full" | "address" | "draining"): void {
    this.#refused.add(1, { why });
  }

  loggedIn(transport: "tls" | "web-socket"): void {
    this.#logins.add(1, { transport });
  }

  loginFailed(reason: LoginFailure): void {
    this.#loginsFailed.add(1, { reason });
  }

  appended(): void {
    this.#appended.add(1);
  }

  delivered(records: number): void {
    if (records > 0) this.#delivered.add(records);
  }

  gapFound(): void {
    this.#gaps.add(1);
  }

  tooSlow(): void {
    this.#tooSlow.add(1);
  }

  closing(code: CloseCode): void {
    this.#closed.add(1, { code: CloseCode[code] ?? "UNKNOWN" });
  }

  /** A device could not open so many messages. */
  cannotOpen(messages: number): void {
    this.#cannotOpen.add(messages);
  }

  mediaSent(bytes: number): void {
    this.#mediaSent.add(bytes);
  }

  mediaReceived(bytes: number): void {
    this.#mediaReceived.add(bytes);
  }

  /** A connection ended by a defect. Others go on. */
  crashed(error: unknown): void {
    this.#crashes.add(1);
    this.#logger.error("a connection failed", { error: asError(error) });
  }

  /** A request failed for a reason that nobody foresaw. */
  failed(error: unknown): void {
    this.#logger.error("a request failed", { error: asError(error) });
  }

  /** The certificate that clients are shown from now on. */
  certificateShown(expiresAtMs: number): void {
    this.#certificateExpires.set(Math.floor(expiresAtMs / 1000));
  }

  certificateRenewed(expiresAtMs: number): void {
    this.certificateShown(expiresAtMs);
    this.#logger.info("new connections are shown a new certificate", {
      expires: new Date(expiresAtMs).toISOString(),
    });
  }

  certificateFailed(error: unknown): void {
    this.#logger.error("the new certificate cannot be used: the one before stays", {
      error: asError(error),
    });
  }

  certifyFailed(error: unknown): void {
    this.#logger.warn("the keyserver does not vouch for the certificate yet", {
      error: asError(error),
    });
  }

  confirmationLost(): void {
    this.#logger.warn("rosters cannot be confirmed: delivery stops");
  }

  confirmationRegained(): void {
    this.#logger.info("rosters are confirmed: delivery goes on");
  }

  draining(connections: number): void {
    this.#logger.info("draining", { connections });
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error("something that is no Error was thrown");
}
