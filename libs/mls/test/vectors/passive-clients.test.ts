import {
  bytesToBase64,
  type CiphersuiteImpl,
  type ClientConfig,
  type ClientState,
  joinGroup,
  makePskIndex,
  processPrivateMessage,
  processPublicMessage,
} from "ts-mls";
import { expect } from "vitest";
import { safeConfig } from "../../src/safe-config.ts";
import { decodeMessage, decodeTree, mlsBytesMax } from "../../src/wire.ts";
import { describeVectors, hex } from "./official-vectors.ts";

interface PassiveClient {
  readonly cipher_suite: number;
  readonly external_psks: readonly { readonly psk_id: string; readonly psk: string }[];
  readonly key_package: string;
  readonly signature_priv: string;
  readonly encryption_priv: string;
  readonly init_priv: string;
  readonly welcome: string;
  readonly ratchet_tree: string | null;
  readonly initial_epoch_authenticator: string;
  readonly epochs: readonly {
    readonly proposals: readonly string[];
    readonly commit: string;
    readonly epoch_authenticator: string;
  }[];
}

/** Our configuration; credentials of the vectors are not ours, so each one is accepted. */
const config: ClientConfig = {
  ...safeConfig(() => true),
  authService: { validateCredential: async () => true },
};

async function follow(vector: PassiveClient, cs: CiphersuiteImpl): Promise<void> {
  const { keyPackage } = decodeMessage(
    hex(vector.key_package),
    "mls_key_package",
    mlsBytesMax.handshake,
  );
  const { welcome } = decodeMessage(hex(vector.welcome), "mls_welcome", mlsBytesMax.handshake);
  const psks = Object.fromEntries(
    vector.external_psks.map(({ psk_id: id, psk }) => [bytesToBase64(hex(id)), hex(psk)]),
  );
  let state: ClientState = await joinGroup(
    welcome,
    keyPackage,
    {
      hpkePrivateKey: hex(vector.encryption_priv),
      initPrivateKey: hex(vector.init_priv),
      signaturePrivateKey: hex(vector.signature_priv),
    },
    makePskIndex(undefined, psks),
    cs,
    vector.ratchet_tree === null ? undefined : decodeTree(hex(vector.ratchet_tree)),
    undefined,
    config,
  );
  expect(state.keySchedule.epochAuthenticator).toEqual(hex(vector.initial_epoch_authenticator));
  for (const epoch of vector.epochs) {
    for (const message of [...epoch.proposals, epoch.commit])
      state = await process(state, hex(message), psks, cs);
    expect(state.keySchedule.epochAuthenticator).toEqual(hex(epoch.epoch_authenticator));
  }
}

async function process(
  state: ClientState,
  bytes: Uint8Array,
  psks: Readonly<Record<string, Uint8Array>>,
  cs: CiphersuiteImpl,
): Promise<ClientState> {
  const index = makePskIndex(state, { ...psks });
  // The second two bytes of an MLSMessage name its kind.
  if (bytes[3] === 1) {
    const { publicMessage } = decodeMessage(bytes, "mls_public_message", mlsBytesMax.handshake);
    return (await processPublicMessage(state, publicMessage, index, cs)).newState;
  }
  const { privateMessage } = decodeMessage(bytes, "mls_private_message", mlsBytesMax.handshake);
  return (await processPrivateMessage(state, privateMessage, index, cs)).newState;
}

describeVectors<PassiveClient>("passive-client-welcome", follow);
describeVectors<PassiveClient>("passive-client-handling-commit", follow, { slow: true });
describeVectors<PassiveClient>("passive-client-random", follow, { slow: true });
