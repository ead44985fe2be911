import type { CiphersuiteImpl } from "ts-mls";
import { expect } from "vitest";
import { decodeMessage, decodeTree, mlsBytesMax } from "../../src/wire.ts";
import { describeVectors, hex } from "./official-vectors.ts";
import { countingJudge, foreign, keptSecret, ourMls } from "./our-module.ts";

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

/** Joins by `Mls.joinFromWelcome` and follows every epoch by `Group.process`. */
async function follow(vector: PassiveClient, cs: CiphersuiteImpl): Promise<void> {
  const psks = vector.external_psks.map(({ psk_id: id, psk }) => ({ id: hex(id), psk: hex(psk) }));
  const mls = ourMls(foreign(cs, psks));
  const { keyPackage } = decodeMessage(
    hex(vector.key_package),
    "mls_key_package",
    mlsBytesMax.handshake,
  );
  const tree = vector.ratchet_tree === null ? undefined : hex(vector.ratchet_tree);
  const joining = {
    welcome: hex(vector.welcome),
    tree,
    secret: keptSecret(keyPackage, {
      initPrivateKey: hex(vector.init_priv),
      hpkePrivateKey: hex(vector.encryption_priv),
    }),
    signatureKey: {
      publicKey: keyPackage.leafNode.signaturePublicKey,
      privateKey: hex(vector.signature_priv),
    },
  };
  await expect(mls.joinFromWelcome({ ...joining, judge: () => false })).rejects.toMatchObject({
    code: "BAD_MESSAGE",
    message: expect.stringMatching(/credential/),
  });
  const { judge, judged } = countingJudge();
  const group = await mls.joinFromWelcome({ ...joining, judge });
  const leaves = decodeTree(group.tree()).filter((node) => node?.nodeType === "leaf");
  expect(judged.size, "every leaf is judged").toBe(leaves.length);
  expect(group.epochAuthenticator).toEqual(hex(vector.initial_epoch_authenticator));
  for (const epoch of vector.epochs) {
    for (const proposal of epoch.proposals) await group.takeProposal(hex(proposal), judge);
    await expect(
      group.process(spoilt(hex(epoch.commit)), { expect: "anything", judge }),
    ).rejects.toMatchObject({ code: "BAD_COMMIT" });
    const options = { expect: "anything", judge } as const;
    const { outcome } = await group.process(hex(epoch.commit), options);
    expect(outcome).toBe("applied");
    expect(group.epochAuthenticator).toEqual(hex(epoch.epoch_authenticator));
  }
}

/** The membership tag, which stands last, with another bit. */
function spoilt(commit: Uint8Array): Uint8Array {
  const other = commit.slice();
  other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
  return other;
}

describeVectors<PassiveClient>("passive-client-welcome", follow);
describeVectors<PassiveClient>("passive-client-handling-commit", follow, { slow: true });
describeVectors<PassiveClient>("passive-client-random", follow, { slow: true });
