import { expect, test } from "vitest";
import { XaesGcm } from "./xaes-gcm.ts";

const bytes = (text: string) => Buffer.from(text, "utf8");

// The two vectors of C2SP's XAES-256-GCM: the doubled block with and without a carry.
test.each([
  [0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"],
  [0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"],
])("seals as the specification's vector under the key %i says", (key, associated, expected) => {
  const nonce = bytes("ABCDEFGHIJKLMNOPQRSTUVWX");
  const cipher = new XaesGcm(Buffer.alloc(32, key));
  const sealed = cipher.seal(bytes("XAES-256-GCM"), bytes(associated), nonce);
  expect(Buffer.from(sealed.subarray(24)).toString("hex")).toBe(expected);
  expect(cipher.open(sealed, bytes(associated))?.toString()).toBe("XAES-256-GCM");
});

test("opens nothing of which a bit was changed, cut off or put elsewhere", () => {
  const cipher = new XaesGcm(Buffer.alloc(32, 7));
  const sealed = cipher.seal(bytes("text"), bytes("here"));
  expect(cipher.open(sealed, bytes("there"))).toBeUndefined();
  expect(new XaesGcm(Buffer.alloc(32, 8)).open(sealed, bytes("here"))).toBeUndefined();
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(cipher.open(changed, bytes("here"))).toBeUndefined();
  }
  for (let length = 0; length < sealed.length; length++)
    expect(cipher.open(sealed.subarray(0, length), bytes("here"))).toBeUndefined();
});

test("never uses a nonce twice, neither within an instance nor in two of one key", () => {
  const nonces = [1, 2].flatMap(() => {
    const cipher = new XaesGcm(Buffer.alloc(32, 7));
    return Array.from({ length: 1000 }, () => {
      const sealed = cipher.seal(bytes("same"), bytes(""));
      expect(cipher.open(sealed, bytes(""))?.toString()).toBe("same");
      return Buffer.from(sealed.subarray(0, 24)).toString("hex");
    });
  });
  expect(new Set(nonces).size).toBe(2000);
});

test("opens what any number of other instances sealed", () => {
  const reader = new XaesGcm(Buffer.alloc(32, 7));
  for (let i = 0; i < 600; i++) {
    const sealed = new XaesGcm(Buffer.alloc(32, 7)).seal(bytes(`text ${i}`), bytes(""));
    expect(reader.open(sealed, bytes(""))?.toString()).toBe(`text ${i}`);
  }
});
