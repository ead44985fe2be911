import { expect, test } from "vitest";
import { createLogger, type LoggerOptions } from "./logger.ts";

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  return { lines, logger: createLogger({ service: "media", destination, ...options }) };
}

test("with json a line is one object of level, time, service, message and fields", () => {
  const { lines, logger } = capture({ json: true });
  logger.info("piece stored", { piece: 3, big: 5n });
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: "info",
    service: "media",
    message: "piece stored",
    piece: 3,
    big: "5",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  });
});

test("bytes never reach a line, however deep they stand", () => {
  const { lines, logger } = capture({ json: true });
  const secret = new TextEncoder().encode("canary");
  const error = Object.assign(new Error("failed"), { cause: { secret } });
  logger.child({ secret } as never).warn("odd", {
    secret,
    buffer: Buffer.from("canary"),
    nested: { list: [secret, 1], raw: secret.buffer },
    error,
  } as never);
  const line = lines.join("");
  expect(JSON.parse(line)).toMatchObject({ nested: { list: [1] }, error: { message: "failed" } });
  expect(line).not.toContain("canary");
  expect(line).not.toContain("secret");
  expect(line).not.toContain(Buffer.from("canary").toString("base64"));
  expect(line).not.toContain("99,97,110");
});

test("without json a line reads for people, and an error's stack follows below", () => {
  const { lines, logger } = capture();
  logger.error("write failed", { path: "a b", err: new Error("no space") });
  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} ERROR media {4} {1}write failed path="a b" err="no space"\n {4}Error: no space\n/,
  );
});

test("a terminal gets colours", () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line), isTTY: true };
  createLogger({ service: "media", destination }).info("ready");
  expect(lines[0]).toContain("\u001b[32mINFO");
});

test("lines below the level are not written", () => {
  const { lines, logger } = capture({ level: "warn" });
  logger.info("chatter");
  expect(lines).toEqual([]);
});

test("a child's fields stand on each of its lines", () => {
  const { lines, logger } = capture({ json: true });
  logger.child({ edge: "e1" }).info("lease");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ edge: "e1", service: "media" });
});
