import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

/** Where clients find the server, as invites carry it. */
export interface PublicAddress {
  readonly host: string;
  readonly port: number;
  /** True where only this machine can use it. */
  readonly localOnly: boolean;
}

/**
 * What invites carry: `--address` or the domain, else what the server listens on, else (where it listens
 * on every address) this machine's address in its network.
 */
export function publicAddress(
  options: { host: string; address: string | undefined },
  port: number,
): PublicAddress {
  if (options.address !== undefined) return named(options.address, port);
  const everywhere = ["0.0.0.0", "::", ""].includes(options.host);
  const host = everywhere ? (lanAddress() ?? "127.0.0.1") : options.host;
  return { host, port, localOnly: isLoopback(host) };
}

/** `host`, `host:port` or `[v6]:port`. */
function named(address: string, port: number): PublicAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(address);
  const host = match?.[1] ?? match?.[2] ?? address;
  return { host, port: match?.[3] ? Number(match[3]) : port, localOnly: isLoopback(host) };
}

/** `host:port`, with brackets where the host is an IPv6 address. */
export function showAddress({ host, port }: { host: string; port: number }): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function lanAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === "IPv4")?.address;
}
