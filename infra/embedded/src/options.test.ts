import { resolve } from "node:path";
import { expect, test } from "vitest";
import { readOptions, UsageError } from "./options.ts";

test("without flags and variables the server is for this machine alone", () => {
  expect(readOptions([], {})).toEqual({
    host: "127.0.0.1",
    port: 7443,
    address: undefined,
    data: resolve("data"),
    jsonLogs: false,
    adminPort: 0,
    adminSocket: undefined,
    tls: undefined,
    tlsFolder: undefined,
    origins: undefined,
    proxies: [],
    limits: {},
  });
});

test("a flag wins over its variable", () => {
  const options = readOptions(["--port", "0", "--json-logs"], {
    SOTTO_PORT: "9000",
    SOTTO_HOST: "::",
  });
  expect(options).toMatchObject({ port: 0, host: "::", jsonLogs: true });
});

test("a domain is what invites carry unless an address is given", () => {
  expect(readOptions([], { SOTTO_DOMAIN: "chat.example.org" })).toMatchObject({
    address: "chat.example.org",
  });
  expect(readOptions(["--address", "a:1"], { SOTTO_DOMAIN: "b" })).toMatchObject({
    address: "a:1",
  });
});

test.each([["--port", "99999"], ["--port", "x"], ["--nonsense"], ["--port"]])(
  "%s %s is wrong usage",
  (...args) => {
    expect(() => readOptions(args.filter(Boolean), {})).toThrow(UsageError);
  },
);

test("limits may be set by name", () => {
  expect(
    readOptions(["--limit", "appendsPerSecond=9", "--limit", "idleTimeoutMs=1000"], {}),
  ).toMatchObject({
    limits: { appendsPerSecond: 9, idleTimeoutMs: 1000 },
  });
  expect(readOptions([], { SOTTO_LIMITS: "appendBurst=1" })).toMatchObject({
    limits: { appendBurst: 1 },
  });
  expect(() => readOptions(["--limit", "nonsense=1"], {})).toThrow(UsageError);
});

test("help is asked for by --help and -h", () => {
  expect(readOptions(["--help"], {})).toBe("help");
  expect(readOptions(["-h"], {})).toBe("help");
});
