import { expect, it } from "vitest";
import {
  arrivalInput,
  authInput,
  certificateInput,
  deviceCounterInput,
  envelopeInput,
  grantInput,
  tlsBinding,
  webSocketBinding,
} from "./signing.ts";

const key = new Uint8Array(32);
const id = new Uint8Array(16);

it("no signature for one purpose is good for another", () => {
  const purposes = [
    authInput({ serverKey: key, serverNonce: key, clientNonce: key, device: id, binding: key }),
    certificateInput({ spkiSha256: key, notBeforeMs: 0, notAfterMs: 0 }),
    envelopeInput(key),
    grantInput(key),
    arrivalInput({ user: id, device: id, sign: key, mls: key }),
    deviceCounterInput(key),
  ].map((input) => new TextDecoder().decode(input.subarray(0, input.indexOf(0))));
  expect(new Set(purposes).size).toBe(purposes.length);
  for (const purpose of purposes) expect(purpose).toMatch(/^sotto-[a-z]+-v1$/);
});

it("a login over TLS is never one over WebSocket", () => {
  expect(tlsBinding(key)[0]).not.toBe(webSocketBinding("https://a.example")[0]);
});

it("an origin that its length cannot name is refused", () => {
  expect(webSocketBinding("a".repeat(65_535))).toHaveLength(65_538);
  expect(() => webSocketBinding("a".repeat(65_536))).toThrow(RangeError);
});
