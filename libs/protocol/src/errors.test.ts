import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  errorName,
  fromErrorMessage,
  ProtocolError,
  retryOf,
  SottoError,
  toErrorMessage,
} from "./errors.ts";
import { ErrorCode, ErrorSchema, Retry } from "./gen/sotto/v1/client_pb.js";

const codes = Object.values(ErrorCode).filter((code) => typeof code === "number");
/** A code of a version that is yet to come. */
const newer = 999 as ErrorCode;

describe("error codes", () => {
  it.each(codes)("%i says what to do next", (code) => {
    expect([Retry.NOW, Retry.LATER, Retry.NEVER]).toContain(retryOf(code));
    expect(errorName(code)).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  });

  it("of a newer version have a name and are tried again later", () => {
    expect(errorName(newer)).toBe("ERROR_999");
    expect(retryOf(newer)).toBe(Retry.LATER);
  });
});

describe("an error", () => {
  it("comes through a message as it was", () => {
    const error = new SottoError(ErrorCode.STALE, "the room has moved on", {
      handshake: 42,
      retryAfterMs: 250,
    });
    const { code, retry, message, handshake, retryAfterMs } = fromErrorMessage(
      toErrorMessage(error),
    );
    expect({ code, retry, message, handshake, retryAfterMs }).toEqual({
      code: ErrorCode.STALE,
      retry: Retry.NOW,
      message: "the room has moved on",
      handshake: 42,
      retryAfterMs: 250,
    });
  });

  it("has a sentence even where its sender wrote none", () => {
    const error = fromErrorMessage(create(ErrorSchema, { code: ErrorCode.ROOM_FULL }));
    expect(error.message).toBe("ROOM_FULL");
    expect(error.handshake).toBeUndefined();
    expect(error.retryAfterMs).toBeUndefined();
  });

  it("of an unknown code is retried as its sender says, of a known one as the table says", () => {
    const retry = Retry.NEVER;
    expect(fromErrorMessage(create(ErrorSchema, { code: newer, retry })).retry).toBe(retry);
    const known = create(ErrorSchema, { code: ErrorCode.BUSY, retry });
    expect(fromErrorMessage(known).retry).toBe(Retry.LATER);
  });
});

describe("the funnel", () => {
  it("lets an error of the protocol through", () => {
    const error = new ProtocolError("a frame's body is not a Request");
    expect(error.code).toBe(ErrorCode.BAD_REQUEST);
    expect(SottoError.from(error)).toBe(error);
  });

  it.each([new Error("secret path"), "secret path", undefined, { code: ErrorCode.STALE }])(
    "makes %s INTERNAL, and keeps its text on this side",
    (thrown) => {
      const error = SottoError.from(thrown);
      expect(error.code).toBe(ErrorCode.INTERNAL);
      expect(toErrorMessage(error).message).not.toContain("secret");
      expect(error.cause).toBe(thrown);
    },
  );
});
