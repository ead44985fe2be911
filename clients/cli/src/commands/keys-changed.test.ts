import { expect, test } from "vitest";
import { type KeysChangedLine, keysChanged } from "./keys-changed.ts";

test.each<[KeysChangedLine["change"], KeysChangedLine["by"]["kind"], string]>([
  ["device-added", "device", 'bob has a new device, "phone" (signed by the device "laptop")'],
  ["device-revoked", "recovery", 'bob revoked the device "phone" (signed by the recovery phrase)'],
  ["recovery-set", "device", 'bob has a new recovery phrase (signed by the device "laptop")'],
  [
    "identity-reset",
    "owner",
    "bob lost all devices and began anew: safety numbers change (allowed by olga, who owns this server)",
  ],
])("%s by %s reads as one line", (change, kind, line) => {
  const by = { kind, user: kind === "owner" ? "olga" : "bob", name: "laptop" };
  expect(keysChanged({ user: "bob", change, deviceName: "phone", by })).toBe(line);
});
