/**
 * The PROXY protocol, versions 1 and 2: a proxy says in front of a connection's bytes whom it
 * speaks for. Believed from configured peers only. Source: haproxy, proxy-protocol.txt.
 */

/** What the bytes seen so far amount to. */
export type ProxyHeader =
  /** Not complete yet. */
  | { readonly kind: "partial" }
  /** No PROXY header, or one that cannot be read. */
  | { readonly kind: "invalid" }
  /** `headerBytes` long. `address` is undefined where the proxy speaks for itself (health checks). */
  | { readonly kind: "header"; readonly headerBytes: number; readonly address: string | undefined };

/** A header never needs more than this many bytes to be read or refused. */
export const proxyHeaderBytesMax = 16 + 2048;

const versionOneBytesMax = 107;
const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const versionOnePrefix = Buffer.from("PROXY ", "latin1");
const partial: ProxyHeader = { kind: "partial" };
const invalid: ProxyHeader = { kind: "invalid" };

/** Reads the header at the beginning of `bytes`. Never throws. */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (beginsLike(buffer, signature)) return parseVersionTwo(buffer);
  if (beginsLike(buffer, versionOnePrefix)) return parseVersionOne(buffer);
  return invalid;
}

function beginsLike(bytes: Buffer, prefix: Buffer): boolean {
  const length = Math.min(bytes.length, prefix.length);
  return bytes.subarray(0, length).equals(prefix.subarray(0, length));
}

function parseVersionOne(bytes: Buffer): ProxyHeader {
  const end = bytes.indexOf("\r\n");
  if (end < 0) return bytes.length < versionOneBytesMax ? partial : invalid;
  if (end + 2 > versionOneBytesMax) return invalid;
  const [, family, source] = bytes.toString("latin1", 0, end).split(" ");
  if (family === "UNKNOWN") return { kind: "header", headerBytes: end + 2, address: undefined };
  if ((family !== "TCP4" && family !== "TCP6") || !source || !/^[0-9a-fA-F.:]+$/.test(source)) {
    return invalid;
  }
  return { kind: "header", headerBytes: end + 2, address: source };
}

function parseVersionTwo(bytes: Buffer): ProxyHeader {
  if (bytes.length < 16) return partial;
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const headerBytes = 16 + bytes.readUInt16BE(14);
  if (headerBytes > proxyHeaderBytesMax || (command !== 0x20 && command !== 0x21)) return invalid;
  if (bytes.length < headerBytes) return partial;
  if (command === 0x20) return { kind: "header", headerBytes, address: undefined };
  const body = bytes.subarray(16, headerBytes);
  if (family === 0x11 && body.length >= 12) {
    return { kind: "header", headerBytes, address: [...body.subarray(0, 4)].join(".") };
  }
  if (family === 0x21 && body.length >= 36) {
    return { kind: "header", headerBytes, address: textOfIpv6(body) };
  }
  return { kind: "header", headerBytes, address: undefined };
}

function textOfIpv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    bytes.readUInt16BE(2 * index).toString(16),
  );
  return groups.join(":");
}
