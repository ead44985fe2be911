import type { CertificateSource } from "./certificate.ts";
import type { EdgeLimits } from "./edge-limits.ts";

/** How one edge runs. What is left out has the default named. */
export interface EdgeConfig {
  /** Its name among the edges; default: random. */
  readonly edge?: string | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly certificate: CertificateSource;
  /** Default 10,000. */
  readonly certificatePeriodMs?: number;
  /** Addresses and networks of proxies whose PROXY header is required and believed. Default none. */
  readonly proxies?: readonly string[];
  /** Origins that may open a WebSocket. Default: the one that names the host of the request. */
  readonly origins?: readonly string[] | undefined;
  /** Connections at once, logged in or not. Default 20,000. */
  readonly connectionsMax?: number;
  /** Connections that one address may begin: a bucket of this size. Default 1,000. */
  readonly connectionsPerAddressBurst?: number;
  /** Its refill a second. Default 100. */
  readonly connectionsPerAddressPerSecond?: number;
  /** Requests that one address may make without a login, Register and Authenticate apart: a bucket of this size. Default 400. */
  readonly requestsPerAddressBurst?: number;
  /** Its refill a second. Default 40. */
  readonly requestsPerAddressPerSecond?: number;
  /** Memory for pieces being uploaded, over all connections; one user gets a quarter. Default 256 MiB. */
  readonly uploadBytesMax?: number;
  /** Where clients are sent when this edge drains; default: the same address. */
  readonly drainAddress?: string | undefined;
  /** Clients come back spread over 20 ms for each of them, and over this at most. Default 5,000. */
  readonly drainSpreadMs?: number;
  /** What is still open this long after draining began is cut off. Default 3,000. */
  readonly drainTimeoutMs?: number;
  /** Default 2,000. */
  readonly confirmPeriodMs?: number;
  /** Delivery stops without a confirmation for this long. Default 10,000. */
  readonly confirmValidMs?: number;
  /** Default 2,000. */
  readonly leasePeriodMs?: number;
  /** The protocol's limits that are to be other ones. */
  readonly limits?: Partial<EdgeLimits>;
}
