import type { Capabilities, ClientConfig } from "ts-mls";
import { defaultKeyPackageEqualityConfig, defaultLifetimeConfig } from "ts-mls";
import { identityOf, type Judge } from "./leaf-identity.ts";
import { ciphersuiteName, type SuiteName } from "./suite.ts";

/** Private extension types: a room's policy in the group context, and the mark of a last-resort package. */
export const policyExtension = 0xf0a0;
export const lastResortExtension = 0xf0a1;

/**
 * The library's configuration with its unsafe defaults replaced: every leaf is judged by the directory,
 * late and lost messages are borne, plaintext lengths are rounded up to 256 bytes. A leaf's lifetime is
 * checked by whoever adds it and not on receipt: one expired leaf would close the room to joins. `readIdentity`:
 * of credentials that are not Sotto's.
 */
export function safeConfig(judge: Judge, readIdentity = identityOf): ClientConfig {
  return {
    keyRetentionConfig: {
      retainKeysForGenerations: 256,
      retainKeysForEpochs: 3,
      maximumForwardRatchetSteps: 2000,
    },
    lifetimeConfig: { ...defaultLifetimeConfig, validateLifetimeOnReceive: false },
    keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
    paddingConfig: { kind: "padUntilLength", padUntilLength: 256 },
    authService: {
      async validateCredential(credential, signaturePublicKey) {
        try {
          return judge(readIdentity(credential), signaturePublicKey);
        } catch {
          return false;
        }
      },
    },
  };
}

/** What every leaf of Sotto says that it can do: one suite, our extensions, basic credentials. */
export function capabilitiesOf(suite: SuiteName): Capabilities {
  return {
    versions: ["mls10"],
    ciphersuites: [ciphersuiteName(suite)],
    extensions: [policyExtension, lastResortExtension],
    proposals: [],
    credentials: ["basic"],
  };
}
