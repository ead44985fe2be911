import {
  CloseCode,
  ErrorCode,
  encodeRequest,
  type Frame,
  FrameDecoder,
  FrameFlag,
  FrameType,
  PresenceState,
  parseDeviceId,
  parseRoomId,
  parseUserId,
  SignalKind,
} from "@sotto/protocol";
import { describe, expect, it } from "vitest";
import { edgeLimits } from "../edge-limits.ts";
import type { Effect } from "./effect.ts";
import type { DeviceFacts } from "./input.ts";
import { newSession, type Session } from "./session.ts";
import { step } from "./step.ts";

type RequestBody = NonNullable<Parameters<typeof encodeRequest>[1]["body"]>;

const user = parseUserId("11".repeat(16));
const device = new Uint8Array(16).fill(2);
const room = new Uint8Array(16).fill(3);
const roomId = parseRoomId(room);
const object = new Uint8Array(16).fill(4);
const facts: DeviceFacts = {
  user,
  authKey: new Uint8Array(32),
  revoked: false,
  disabled: false,
  directorySize: 7n,
  keyPackagesLeft: 3,
};
const small = edgeLimits({
  requestsInFlightMax: 4,
  requestsInFlightBeforeLoginMax: 2,
  mediaStreamsMax: 2,
  subscriptionsMax: 2,
  messageBytesMax: 10,
  pieceBytes: 8,
  envelopeBytesMax: 6,
  requestsBeforeLoginMax: 3,
  framesBeforeLoginMax: 20,
  mediaFrameBytesMax: 6,
});

function session(): Session {
  return newSession({
    limits: small,
    serverKey: new Uint8Array(32),
    nonce: new Uint8Array(32),
    binding: new Uint8Array([1]),
  });
}

function requestFrame(stream: number, body: RequestBody): Frame {
  const [frame] = new FrameDecoder({ frameBytesMax: 1e6 }).push(encodeRequest(stream, { body }));
  if (!frame) throw new Error("no frame");
  return frame;
}

function ask(state: Session, stream: number, body: RequestBody): readonly Effect[] {
  return step(state, { kind: "frame", frame: requestFrame(stream, body), atMs: 0 });
}

function media(state: Session, stream: number, bytes: number, flags = 0): readonly Effect[] {
  const frame = { type: FrameType.media, flags, stream, body: new Uint8Array(bytes) };
  return step(state, { kind: "frame", frame, atMs: 0 });
}

function frameOf(state: Session, type: number, body: Uint8Array, stream = 1, flags = 0) {
  return step(state, { kind: "frame", frame: { type, flags, stream, body }, atMs: 0 });
}

const login: RequestBody = {
  case: "authenticate",
  value: {
    protocolVersion: 1,
    device,
    nonce: new Uint8Array(32),
    signature: new Uint8Array(64),
  },
};

function ready(quiet = false): Session {
  const state = session();
  ask(state, 1, { case: "authenticate", value: { ...login.value, quiet } } as RequestBody);
  step(state, { kind: "deviceFound", facts });
  step(state, { kind: "verified", facts, valid: true });
  step(state, { kind: "admitted", facts, tooMany: false });
  expect(state.phase).toBe("ready");
  return state;
}

/** The code of the refusal among effects, if any. */
function refusalIn(effects: readonly Effect[]): ErrorCode | undefined {
  for (const effect of effects) {
    if (effect.kind === "respond" && effect.body.case === "error") return effect.body.value.code;
  }
  return undefined;
}

function closeIn(effects: readonly Effect[]): CloseCode | undefined {
  return effects.find((effect) => effect.kind === "close")?.code;
}

const append = (more: object = {}): RequestBody => ({
  case: "append",
  value: { room, id: device, handshake: 5n, sealed: new Uint8Array([1]), ...more },
});

describe("frames before the login", () => {
  it.each([
    ["pings", FrameType.ping, new Uint8Array(8)],
    ["requests that cannot be decoded", FrameType.request, new Uint8Array([0xff])],
    ["requests that are refused", FrameType.request, requestFrame(1, append()).body],
    ["frames that get no answer", FrameType.pong, new Uint8Array(8)],
  ])("end the connection when there are too many: %s", (_name, type, body) => {
    const state = session();
    for (let sent = 0; sent < small.framesBeforeLoginMax; sent++) {
      expect(closeIn(frameOf(state, type, body))).toBeUndefined();
    }
    expect(closeIn(frameOf(state, type, body))).toBe(CloseCode.PROTOCOL_ERROR);
  });

  it("leave fewer requests waiting for their answers than after it", () => {
    const state = session();
    const getLink: RequestBody = { case: "getLink", value: { channel: device, number: 0 } };
    for (const stream of [1, 2])
      expect(ask(state, stream, getLink)[0]).toMatchObject({ kind: "forward" });
    expect(refusalIn(ask(state, 3, getLink))).toBe(ErrorCode.BUSY);
    expect(refusalIn(ask(state, 4, login))).toBe(ErrorCode.BUSY);
    step(state, { kind: "answered", stream: 1, body: { case: "done", value: {} } });
    expect(ask(state, 4, login)[0]).toMatchObject({ kind: "lookUpDevice" });
  });

  it("are not counted after it", () => {
    const state = ready();
    for (let sent = 0; sent < 2 * small.framesBeforeLoginMax; sent++) {
      expect(closeIn(frameOf(state, FrameType.ping, new Uint8Array(8)))).toBeUndefined();
    }
  });
});

describe("a login", () => {
  it("looks the device up, verifies its signature, and admits it", () => {
    const state = session();
    expect(ask(state, 9, login)).toEqual([{ kind: "lookUpDevice", device: parseDeviceId(device) }]);
    expect(step(state, { kind: "deviceFound", facts })[0]?.kind).toBe("verify");
    expect(step(state, { kind: "verified", facts, valid: true })[0]?.kind).toBe("admit");
    const effects = step(state, { kind: "admitted", facts, tooMany: false });
    expect(effects.map((effect) => effect.kind)).toEqual(["loggedIn", "respond"]);
    expect(effects[1]).toMatchObject({ stream: 9, body: { case: "authenticated" } });
    expect(state.principal).toEqual({ user, device: parseDeviceId(device), quiet: false });
  });

  it("answers an unknown device exactly as a bad signature", () => {
    const unknown = session();
    ask(unknown, 9, login);
    const toUnknown = step(unknown, { kind: "deviceFound", facts: undefined });
    const bad = session();
    ask(bad, 9, login);
    step(bad, { kind: "deviceFound", facts });
    const toBad = step(bad, { kind: "verified", facts, valid: false });
    expect(toUnknown.slice(1)).toEqual(toBad.slice(1));
    expect(refusalIn(toBad)).toBe(ErrorCode.BAD_SIGNATURE);
    expect(closeIn(toBad)).toBe(CloseCode.AUTHENTICATION_FAILED);
  });

  it("tells a revoked device so only after it proved to be that device", () => {
    const state = session();
    ask(state, 9, login);
    const revoked = { ...facts, revoked: true };
    expect(step(state, { kind: "deviceFound", facts: revoked })[0]?.kind).toBe("verify");
    const effects = step(state, { kind: "verified", facts: revoked, valid: true });
    expect(refusalIn(effects)).toBe(ErrorCode.DEVICE_REVOKED);
    expect(closeIn(effects)).toBe(CloseCode.DEVICE_REVOKED);
  });

  it("is refused a second time on one connection", () => {
    const state = session();
    ask(state, 1, login);
    expect(refusalIn(ask(state, 2, login))).toBe(ErrorCode.BAD_REQUEST);
    expect(refusalIn(ask(ready(), 3, login))).toBe(ErrorCode.ALREADY_AUTHENTICATED);
  });

  it.each([
    ["another version", { protocolVersion: 2 }, CloseCode.UNSUPPORTED],
    ["a short nonce", { nonce: new Uint8Array(31) }, CloseCode.AUTHENTICATION_FAILED],
    ["a short signature", { signature: new Uint8Array(63) }, CloseCode.AUTHENTICATION_FAILED],
    [
      "a device id of another length",
      { device: new Uint8Array(15) },
      CloseCode.AUTHENTICATION_FAILED,
    ],
  ])("with %s closes the connection", (_what, more, code) => {
    const body = { case: "authenticate", value: { ...login.value, ...more } } as RequestBody;
    expect(closeIn(ask(session(), 1, body))).toBe(code);
  });

  it("over the device's connections closes with TOO_MANY_CONNECTIONS", () => {
    const state = session();
    ask(state, 1, login);
    step(state, { kind: "deviceFound", facts });
    step(state, { kind: "verified", facts, valid: true });
    const effects = step(state, { kind: "admitted", facts, tooMany: true });
    expect(closeIn(effects)).toBe(CloseCode.TOO_MANY_CONNECTIONS);
  });

  it("that nobody can judge is answered UNAVAILABLE", () => {
    const state = session();
    ask(state, 1, login);
    expect(refusalIn(step(state, { kind: "loginUnavailable" }))).toBe(ErrorCode.UNAVAILABLE);
  });
});

describe("a stranger", () => {
  it("registers once, and may log in afterwards", () => {
    const state = session();
    const body: RequestBody = {
      case: "register",
      value: { serverToken: new Uint8Array(32), record: new Uint8Array(9) },
    };
    expect(ask(state, 1, body)).toMatchObject([{ kind: "forward", service: "keyserver" }]);
    step(state, { kind: "answered", stream: 1, body: { case: "registered", value: {} } });
    expect(refusalIn(ask(state, 2, body))).toBe(ErrorCode.BAD_REQUEST);
    expect(ask(state, 3, login)[0]?.kind).toBe("lookUpDevice");
  });

  const getLink: RequestBody = { case: "getLink", value: { channel: device, number: 0 } };

  it("uses links and hands records back, with so many requests on one connection", () => {
    const state = session();
    const putLink: RequestBody = { case: "putLink", value: { channel: device, number: 0 } };
    const handBack: RequestBody = { case: "handBackRecords", value: { note: device, from: 0n } };
    for (const body of [putLink, getLink, handBack]) {
      expect(ask(state, 1, body)).toMatchObject([{ kind: "forward", stranger: true }]);
      step(state, { kind: "answered", stream: 1, body: { case: "done", value: {} } });
    }
    expect(refusalIn(ask(state, 1, getLink))).toBe(ErrorCode.RATE_LIMITED);
    expect(ask(state, 2, login)[0]?.kind).toBe("lookUpDevice");
    expect(ask(ready(), 3, getLink)).toMatchObject([{ kind: "forward", stranger: false }]);
  });

  it("does not begin a second registration behind the answer of another request", () => {
    const state = session();
    ask(state, 1, getLink);
    ask(state, 2, { case: "register", value: { serverToken: new Uint8Array(32) } });
    step(state, { kind: "answered", stream: 1, body: { case: "linkMessage", value: {} } });
    expect(refusalIn(ask(state, 3, login))).toBe(ErrorCode.BAD_REQUEST);
    step(state, { kind: "answered", stream: 2, body: { case: "registered", value: {} } });
    expect(ask(state, 4, login)[0]?.kind).toBe("lookUpDevice");
  });

  it("reads records with a note that it brings, which the keyserver judges", () => {
    const read = (value: { note?: Uint8Array }): RequestBody => ({ case: "readDirectory", value });
    expect(ask(session(), 1, read({ note: device }))).toMatchObject([
      { kind: "forward", service: "keyserver", stranger: true },
    ]);
    expect(refusalIn(ask(session(), 1, read({})))).toBe(ErrorCode.NOT_AUTHENTICATED);
  });

  it("gets nothing else", () => {
    const openLink: RequestBody = { case: "openLink", value: { channel: device } };
    expect(refusalIn(ask(session(), 1, append()))).toBe(ErrorCode.NOT_AUTHENTICATED);
    expect(refusalIn(ask(session(), 1, openLink))).toBe(ErrorCode.NOT_AUTHENTICATED);
  });
});

describe("requests", () => {
  it("on stream 0 or on a stream in use close the connection", () => {
    expect(closeIn(ask(ready(), 0, append()))).toBe(CloseCode.PROTOCOL_ERROR);
    const state = ready();
    ask(state, 5, append());
    expect(closeIn(ask(state, 5, append()))).toBe(CloseCode.PROTOCOL_ERROR);
  });

  it("over the bound in flight are refused until one is answered", () => {
    const state = ready();
    for (let stream = 1; stream <= 4; stream++) ask(state, stream, append());
    expect(refusalIn(ask(state, 5, append()))).toBe(ErrorCode.BUSY);
    step(state, { kind: "answered", stream: 1, body: { case: "done", value: {} } });
    expect(ask(state, 6, append())[0]?.kind).toBe("append");
  });

  it("that cannot be decoded are BAD_REQUEST, and unknown ones UNKNOWN_REQUEST", () => {
    const garbage = frameOf(ready(), FrameType.request, new Uint8Array([255, 255, 255]));
    expect(refusalIn(garbage)).toBe(ErrorCode.BAD_REQUEST);
    const empty = frameOf(ready(), FrameType.request, new Uint8Array());
    expect(refusalIn(empty)).toBe(ErrorCode.UNKNOWN_REQUEST);
  });

  it.each([
    ["append without bytes", append({ sealed: new Uint8Array() }), ErrorCode.BAD_REQUEST],
    ["append too large", append({ sealed: new Uint8Array(11) }), ErrorCode.TOO_LARGE],
    ["append with a short id", append({ id: new Uint8Array(15) }), ErrorCode.BAD_REQUEST],
    ["append to no room", append({ room: new Uint8Array(5) }), ErrorCode.BAD_REQUEST],
    [
      "append under a handshake beyond 2^53",
      append({ handshake: 2n ** 60n }),
      ErrorCode.BAD_REQUEST,
    ],
    [
      "commit too large",
      { case: "commit", value: { room, envelope: new Uint8Array(7) } },
      ErrorCode.TOO_LARGE,
    ],
    [
      "signal of no kind",
      { case: "sendSignal", value: { room, kind: SignalKind.UNSPECIFIED } },
      ErrorCode.BAD_REQUEST,
    ],
    [
      "presence of no kind",
      { case: "setPresence", value: { state: PresenceState.UNSPECIFIED } },
      ErrorCode.BAD_REQUEST,
    ],
    [
      "piece too large",
      { case: "putPiece", value: { room, object, piece: 0, bytes: 9 } },
      ErrorCode.TOO_LARGE,
    ],
    [
      "listing of no room",
      { case: "listObjects", value: { room: new Uint8Array(1) } },
      ErrorCode.BAD_REQUEST,
    ],
  ] as [string, RequestBody, ErrorCode][])("refuse %s", (_what, body, code) => {
    expect(refusalIn(ask(ready(), 1, body))).toBe(code);
  });

  it("make a quiet connection seen, and quiet again", () => {
    const set = (state: PresenceState): RequestBody => ({ case: "setPresence", value: { state } });
    const session = ready(true);
    const effectOf = (state: PresenceState) => {
      expect(ask(session, 1, set(state))).toEqual([{ kind: "askPresence", stream: 1, state }]);
      return step(session, { kind: "presenceAllowed", stream: 1, state }).at(-1);
    };
    expect(effectOf(PresenceState.IDLE)).toEqual({
      kind: "setPresence",
      state: PresenceState.IDLE,
      begins: true,
    });
    expect(session.principal?.quiet).toBe(false);
    expect(effectOf(PresenceState.ONLINE)).toMatchObject({ begins: false });
    expect(effectOf(PresenceState.OFFLINE)).toMatchObject({
      state: PresenceState.OFFLINE,
      begins: false,
    });
    expect(session.principal?.quiet).toBe(true);
  });
});

describe("subscriptions", () => {
  const subscribe: RequestBody = { case: "subscribe", value: { room } };
  const subscribed = { case: "subscribed", value: {} } as const;

  it("are one for each room, and come free when the edge refuses, interrupts or removes", () => {
    const state = ready();
    ask(state, 1, subscribe);
    expect(refusalIn(ask(state, 2, subscribe))).toBe(ErrorCode.BAD_REQUEST);
    const body = { case: "error", value: { code: ErrorCode.UNAVAILABLE } } as const;
    step(state, { kind: "answered", stream: 1, body });
    expect(ask(state, 3, subscribe)[0]?.kind).toBe("subscribe");
    step(state, { kind: "answered", stream: 3, body: subscribed });
    const code = ErrorCode.UNAVAILABLE;
    expect(step(state, { kind: "interrupted", room: roomId, code })).toEqual([
      { kind: "tellInterrupted", room: roomId, code },
    ]);
    ask(state, 4, subscribe);
    step(state, { kind: "answered", stream: 4, body: subscribed });
    expect(step(state, { kind: "removed", room: roomId })).toEqual([]);
    expect(ask(state, 5, subscribe)[0]?.kind).toBe("subscribe");
  });

  it("that were given up while they were prepared do not end the next one", () => {
    const state = ready();
    ask(state, 1, subscribe);
    ask(state, 2, { case: "unsubscribe", value: { room } });
    ask(state, 3, subscribe);
    const body = { case: "error", value: { code: ErrorCode.BAD_REQUEST } } as const;
    step(state, { kind: "answered", stream: 1, body });
    expect(state.subscriptions.has(roomId)).toBe(true);
  });

  it("are bounded", () => {
    const state = ready();
    for (let n = 1; n <= 2; n++) {
      ask(state, n, { case: "subscribe", value: { room: new Uint8Array(16).fill(n) } });
    }
    expect(refusalIn(ask(state, 3, subscribe))).toBe(ErrorCode.BUSY);
  });
});

describe("media", () => {
  const put: RequestBody = { case: "putPiece", value: { room, object, piece: 0, bytes: 8 } };
  const open: RequestBody = { case: "openObject", value: { room, object, credit: 5 } };

  it("uploads end when all announced bytes came", () => {
    const state = ready();
    expect(ask(state, 1, put)[0]?.kind).toBe("beginUpload");
    expect(media(state, 1, 5).map((effect) => effect.kind)).toEqual(["uploadBytes"]);
    expect(media(state, 1, 3, FrameFlag.end).map((effect) => effect.kind)).toEqual([
      "uploadBytes",
      "finishUpload",
    ]);
    expect(media(state, 1, 3)).toEqual([]);
  });

  it.each([
    ["more", [6, 6], 0],
    ["fewer", [5], FrameFlag.end],
  ])("uploads of %s bytes than announced are dropped", (_what, sizes, flags) => {
    const state = ready();
    ask(state, 1, put);
    const effects = sizes.flatMap((bytes) => media(state, 1, bytes, flags));
    expect(effects.map((effect) => effect.kind)).toContain("dropUpload");
    expect(refusalIn(effects)).toBe(ErrorCode.BAD_REQUEST);
    expect(media(state, 1, 1)).toEqual([]);
  });

  it("frames over the bound close the connection", () => {
    expect(closeIn(media(ready(), 1, 7))).toBe(CloseCode.FRAME_TOO_LARGE);
  });

  it("streams are bounded, uploads and downloads together", () => {
    const state = ready();
    ask(state, 1, put);
    ask(state, 2, open);
    expect(refusalIn(ask(state, 3, open))).toBe(ErrorCode.BUSY);
    expect(refusalIn(ask(state, 3, put))).toBe(ErrorCode.BUSY);
    frameOf(state, FrameType.cancel, new Uint8Array(), 2);
    expect(ask(state, 3, open)[0]?.kind).toBe("openObject");
  });

  it("downloads hold their stream until they end, and a failure comes as a second response", () => {
    const state = ready();
    ask(state, 1, open);
    step(state, { kind: "answered", stream: 1, body: { case: "objectOpened", value: {} } });
    const credit = new Uint8Array([0, 0, 1, 0]);
    expect(frameOf(state, FrameType.credit, credit)).toEqual([
      { kind: "credit", stream: 1, bytes: 256 },
    ]);
    const code = ErrorCode.UNAVAILABLE;
    expect(refusalIn(step(state, { kind: "downloadEnded", stream: 1, code }))).toBe(code);
    expect(frameOf(state, FrameType.credit, credit)).toEqual([]);
    expect(ask(state, 1, open)[0]?.kind).toBe("openObject");
  });
});

describe("frames", () => {
  it.each([
    ["of an edge", FrameType.record, 0, CloseCode.PROTOCOL_ERROR],
    ["unknown but critical", 200, FrameFlag.critical, CloseCode.UNSUPPORTED],
    ["a ping without token", FrameType.ping, 0, CloseCode.PROTOCOL_ERROR],
    ["a credit without amount", FrameType.credit, 0, CloseCode.PROTOCOL_ERROR],
  ])("%s close the connection", (_what, type, flags, code) => {
    expect(closeIn(frameOf(ready(), type, new Uint8Array(), 1, flags))).toBe(code);
  });

  it("of unknown types are ignored where they are not critical", () => {
    expect(frameOf(ready(), 200, new Uint8Array())).toEqual([]);
  });

  it("after the close do nothing", () => {
    const state = ready();
    step(state, { kind: "unreadable", tooLarge: true });
    expect(ask(state, 1, append())).toEqual([]);
    expect(step(state, { kind: "answered", stream: 1, body: { case: "done", value: {} } })).toEqual(
      [],
    );
  });
});
