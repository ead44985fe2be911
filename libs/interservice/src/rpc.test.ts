import { type Bus, BusError } from "@sotto/bus";
import { createInProcessBus } from "@sotto/bus/in-process";
import { ErrorCode, parseUserId, ResponseSchema, SottoError } from "@sotto/protocol";
import { expect, test } from "vitest";
import {
  DeviceRequestSchema,
  DeviceResponseSchema,
  ServiceCallSchema,
} from "./gen/sotto/internal/v1/internal_pb.js";
import { call, serve } from "./rpc.ts";
import { subjects } from "./subjects.ts";

const device = new Uint8Array(16).fill(7);
const subject = subjects.keyserverDevice;
const options = { timeoutMs: 1000 };
const ask = (bus: Bus) =>
  call(bus, subject, DeviceRequestSchema, DeviceResponseSchema, { device }, options);
const answer = (bus: Bus, handler: (device: Uint8Array) => Promise<{ known: boolean }>) =>
  serve(bus, subject, "keyserver", DeviceRequestSchema, DeviceResponseSchema, (request) =>
    handler(request.device),
  );

test("a request and its answer arrive typed", async () => {
  await using bus = createInProcessBus();
  await using _served = await answer(bus, async (asked) => ({ known: asked[0] === 7 }));
  expect(await ask(bus)).toMatchObject({ known: true });
});

test("an answer with nothing set is an answer", async () => {
  await using bus = createInProcessBus();
  await using _served = await answer(bus, async () => ({ known: false }));
  expect(await ask(bus)).toMatchObject({ known: false });
});

test("a handler's SottoError reaches the caller with all it carries", async () => {
  await using bus = createInProcessBus();
  await using _served = await answer(bus, async () => {
    throw new SottoError(ErrorCode.STALE, "moved on", { handshake: 42 });
  });
  await expect(ask(bus)).rejects.toMatchObject({
    name: "SottoError",
    code: ErrorCode.STALE,
    message: "moved on",
    handshake: 42,
  });
});

test("any other error is INTERNAL to the caller, and its text stays with the service", async () => {
  await using bus = createInProcessBus();
  const failures: unknown[] = [];
  const failure = new Error("secret detail");
  await using _served = await serve(
    bus,
    subject,
    "keyserver",
    DeviceRequestSchema,
    DeviceResponseSchema,
    async () => {
      throw failure;
    },
    { onFailure: (error) => failures.push(error) },
  );
  const asked = ask(bus);
  await expect(asked).rejects.toMatchObject({ code: ErrorCode.INTERNAL });
  await expect(asked).rejects.not.toThrow("secret");
  expect(failures).toEqual([failure]);
});

test("bytes that are no request, and malformed identifiers, are BAD_REQUEST", async () => {
  await using bus = createInProcessBus();
  await using _served = await answer(bus, async () => {
    parseUserId("short");
    return { known: true };
  });
  await expect(ask(bus)).rejects.toMatchObject({ code: ErrorCode.BAD_REQUEST });
  const reply = await bus.request(subject, new Uint8Array([0xff]), options);
  expect(reply[0]).toBe(0);
});

test("where the response can carry an error, it does, so that its bytes suit a client", async () => {
  await using bus = createInProcessBus();
  const { keyserverCommand } = subjects;
  await using _served = await serve(
    bus,
    keyserverCommand,
    "keyserver",
    ServiceCallSchema,
    ResponseSchema,
    async () => {
      throw new SottoError(ErrorCode.FORBIDDEN, "no");
    },
  );
  const asked = call(bus, keyserverCommand, ServiceCallSchema, ResponseSchema, {}, options);
  await expect(asked).rejects.toMatchObject({ name: "SottoError", code: ErrorCode.FORBIDDEN });
  const reply = await bus.request(keyserverCommand, new Uint8Array(), options);
  expect(reply[0]).not.toBe(0);
});

test("nobody who answers is UNAVAILABLE", async () => {
  await using bus = createInProcessBus();
  await expect(ask(bus)).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
});

test.each([
  ["TIMEOUT", ErrorCode.UNAVAILABLE],
  ["BUSY", ErrorCode.BUSY],
  ["TOO_LARGE", ErrorCode.TOO_LARGE],
  ["HANDLER_FAILED", ErrorCode.INTERNAL],
] as const)("the bus's %s is told as a SottoError", async (code, expected) => {
  await using bus = createInProcessBus();
  bus.request = () => Promise.reject(new BusError(code, "refused"));
  await expect(ask(bus)).rejects.toMatchObject({ name: "SottoError", code: expected });
});

test("an answer that cannot be read is INTERNAL", async () => {
  await using bus = createInProcessBus();
  bus.request = () => Promise.resolve(new Uint8Array([0xff, 0xff]));
  await expect(ask(bus)).rejects.toMatchObject({ code: ErrorCode.INTERNAL });
});

test("an abort rejects with the signal's reason", async () => {
  await using bus = createInProcessBus();
  const reason = new Error("enough");
  bus.request = () => Promise.reject(reason);
  await expect(ask(bus)).rejects.toBe(reason);
});
