import { bytesToBase64, type CiphersuiteImpl, type ClientState, type KeyPackage } from "ts-mls";
import type { ForeignGroups } from "../../src/foreign-groups.ts";
import { Group, type Judge, type LeafIdentity, Mls } from "../../src/index.ts";
import { packSecret } from "../../src/key-packages.ts";
import { safeConfig } from "../../src/safe-config.ts";
import { encodeMessage } from "../../src/wire.ts";

/** Sotto's configuration stays as it is; this is what the people of the vectors need beyond it, port by port. */
export function foreign(
  suite: CiphersuiteImpl,
  psks: readonly { readonly id: Uint8Array; readonly psk: Uint8Array }[] = [],
): ForeignGroups {
  return {
    suite,
    psks: Object.fromEntries(psks.map(({ id, psk }) => [bytesToBase64(id), psk])),
    identityOf: (credential): LeafIdentity => ({
      user: credential.credentialType,
      device:
        credential.credentialType === "basic" ? Buffer.from(credential.identity).toString("hex") : "",
      recordHash: new Uint8Array(),
    }),
  };
}

/** Our module for groups of the vectors. `suite` of the options is not looked at: the algorithms are given. */
export function ourMls(groups: ForeignGroups): Mls {
  return new Mls({ suite: "classical", now: Date.now }, groups);
}

/** What our module would have kept of a KeyPackage, had it made that one. */
export function keptSecret(
  keyPackage: KeyPackage,
  keys: { readonly initPrivateKey: Uint8Array; readonly hpkePrivateKey: Uint8Array },
): Uint8Array {
  const message = encodeMessage({ version: "mls10", wireformat: "mls_key_package", keyPackage });
  return packSecret(message, keys, false);
}

/** A group of ours in a state of the vectors. */
export function groupIn(
  cs: CiphersuiteImpl,
  state: Omit<
    ClientState,
    "clientConfig" | "groupActiveState" | "historicalReceiverData" | "unappliedProposals"
  >,
): Group {
  const whole: ClientState = {
    ...state,
    unappliedProposals: {},
    historicalReceiverData: new Map(),
    groupActiveState: { kind: "active" },
    clientConfig: safeConfig(() => false),
  };
  return new Group("classical", cs, whole, false, foreign(cs));
}

/** Certifies everybody, and counts whom it was asked about. */
export function countingJudge(): { readonly judge: Judge; readonly judged: Set<string> } {
  const judged = new Set<string>();
  const judge: Judge = ({ device }, key) => {
    judged.add(`${device} ${Buffer.from(key).toString("hex")}`);
    return true;
  };
  return { judge, judged };
}
