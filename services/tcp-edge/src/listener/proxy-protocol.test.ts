import { describe, expect, it } from "vitest";
import { parseProxyHeader, proxyHeaderBytesMax } from "./proxy-protocol.ts";

const signature = "\r\n\r\n\0\r\nQUIT\n";

function versionTwo(command: number, family: number, body: readonly number[]): Buffer {
  const length = [body.length >> 8, body.length & 255];
  return Buffer.concat([
    Buffer.from(signature, "latin1"),
    Buffer.from([command, family, ...length, ...body]),
  ]);
}

describe("a PROXY header", () => {
  it("of version 1 carries an address, and its length without what follows", () => {
    const header = "PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\n";
    expect(parseProxyHeader(Buffer.from(`${header}rest`))).toEqual({
      kind: "header",
      headerBytes: header.length,
      address: "203.0.113.7",
    });
  });

  it("of version 2 carries IPv4 and IPv6 addresses", () => {
    const four = versionTwo(0x21, 0x11, [203, 0, 113, 7, 10, 0, 0, 1, 1, 2, 3, 4]);
    expect(parseProxyHeader(four)).toMatchObject({ address: "203.0.113.7", headerBytes: 28 });
    const six = versionTwo(0x21, 0x21, [
      0x20,
      1,
      13,
      184,
      ...Array(11).fill(0),
      1,
      ...Array(20).fill(0),
    ]);
    expect(parseProxyHeader(six)).toMatchObject({ address: "2001:db8:0:0:0:0:0:1" });
  });

  it("of a proxy that speaks for itself carries none", () => {
    expect(parseProxyHeader(Buffer.from("PROXY UNKNOWN\r\n"))).toMatchObject({
      address: undefined,
    });
    expect(parseProxyHeader(versionTwo(0x20, 0, []))).toMatchObject({ address: undefined });
  });

  it("is partial at every cut, and then whole", () => {
    const headers = [
      Buffer.from("PROXY TCP6 2001:db8::1 ::1 5000 443\r\n"),
      versionTwo(0x21, 0x11, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ];
    for (const header of headers) {
      for (let cut = 0; cut < header.length; cut++) {
        expect(parseProxyHeader(header.subarray(0, cut)).kind).toBe("partial");
      }
      expect(parseProxyHeader(header).kind).toBe("header");
    }
  });

  it.each([
    ["a TLS hello", Buffer.from([22, 3, 1, 0])],
    ["text without an end", Buffer.from(`PROXY TCP4 ${"1".repeat(200)}`)],
    ["an address that is none", Buffer.from("PROXY TCP4 somewhere 1 2 3\r\n")],
    ["another command", versionTwo(0x22, 0x11, [])],
    ["a length over the bound", versionTwo(0x21, 0x11, Array(proxyHeaderBytesMax).fill(0))],
  ])("is not %s", (_what, bytes) => {
    expect(parseProxyHeader(bytes).kind).toBe("invalid");
  });
});
