import { type CiphersuiteImpl } from "ts-mls";
import { type CiphersuiteId, getCiphersuiteFromId } from "ts-mls/crypto/ciphersuite.js";
import { decodeAuthenticatedContent } from "ts-mls/authenticatedContent.js";
import { refhash } from "ts-mls/crypto/hash.js";
import { decryptWithLabel, encryptWithLabel } from "ts-mls/crypto/hpke.js";
import { deriveSecret, deriveTreeSecret, expandWithLabel } from "ts-mls/crypto/kdf.js";
import { signWithLabel, verifyWithLabel } from "ts-mls/crypto/signature.js";
import { encodeGroupContext } from "ts-mls/groupContext.js";
import { initializeEpoch, mlsExporter } from "ts-mls/keySchedule.js";
import { computePskSecret } from "ts-mls/presharedkey.js";
import { createSecretTree, ratchetToGeneration } from "ts-mls/secretTree.js";
import { expandSenderDataKey, expandSenderDataNonce, type ReuseGuard } from "ts-mls/sender.js";
import { createConfirmedHash, createInterimHash } from "ts-mls/transcriptHash.js";
import { toLeafIndex } from "ts-mls/treemath.js";
import { expect } from "vitest";
import { safeConfig } from "../../src/safe-config.ts";
import { describeVectors, hex } from "./official-vectors.ts";

type Texts<Names extends string> = Readonly<Record<Names, string>>;
const retention = safeConfig(() => false).keyRetentionConfig;

interface CryptoBasics {
  readonly cipher_suite: number;
  readonly ref_hash: Texts<"label" | "out" | "value">;
  readonly expand_with_label: Texts<"secret" | "label" | "context" | "out"> & { length: number };
  readonly derive_secret: Texts<"label" | "out" | "secret">;
  readonly derive_tree_secret: Texts<"label" | "out" | "secret"> & {
    generation: number;
    length: number;
  };
  readonly sign_with_label: Texts<"priv" | "pub" | "content" | "label" | "signature">;
  readonly encrypt_with_label: Texts<
    "priv" | "pub" | "label" | "context" | "plaintext" | "kem_output" | "ciphertext"
  >;
}

describeVectors<CryptoBasics>("crypto-basics", async (vector, cs) => {
  const { ref_hash: ref, derive_secret: derived, derive_tree_secret: tree } = vector;
  expect(await refhash(ref.label, hex(ref.value), cs.hash)).toEqual(hex(ref.out));
  const { secret, label, context, length, out } = vector.expand_with_label;
  expect(await expandWithLabel(hex(secret), label, hex(context), length, cs.kdf)).toEqual(hex(out));
  expect(await deriveSecret(hex(derived.secret), derived.label, cs.kdf)).toEqual(hex(derived.out));
  expect(
    await deriveTreeSecret(hex(tree.secret), tree.label, tree.generation, tree.length, cs.kdf),
  ).toEqual(hex(tree.out));
  const signed = vector.sign_with_label;
  const content = hex(signed.content);
  const verify = (signature: Uint8Array) =>
    verifyWithLabel(hex(signed.pub), signed.label, content, signature, cs.signature);
  expect(await verify(hex(signed.signature))).toBe(true);
  expect(
    await verify(await signWithLabel(hex(signed.priv), signed.label, content, cs.signature)),
  ).toBe(true);
  const sealed = vector.encrypt_with_label;
  const privateKey = await cs.hpke.importPrivateKey(hex(sealed.priv));
  const open = (kemOutput: Uint8Array, ciphertext: Uint8Array) =>
    decryptWithLabel(
      privateKey,
      sealed.label,
      hex(sealed.context),
      kemOutput,
      ciphertext,
      cs.hpke,
    );
  expect(await open(hex(sealed.kem_output), hex(sealed.ciphertext))).toEqual(hex(sealed.plaintext));
  const publicKey = await cs.hpke.importPublicKey(hex(sealed.pub));
  const { ct, enc } = await encryptWithLabel(
    publicKey,
    sealed.label,
    hex(sealed.context),
    hex(sealed.plaintext),
    cs.hpke,
  );
  expect(await open(enc, ct)).toEqual(hex(sealed.plaintext));
});

type EpochTexts = Texts<
  | "commit_secret"
  | "confirmation_key"
  | "confirmed_transcript_hash"
  | "encryption_secret"
  | "epoch_authenticator"
  | "exporter_secret"
  | "external_pub"
  | "external_secret"
  | "group_context"
  | "init_secret"
  | "joiner_secret"
  | "membership_key"
  | "psk_secret"
  | "resumption_psk"
  | "sender_data_secret"
  | "tree_hash"
  | "welcome_secret"
>;

interface KeyScheduleVector {
  readonly cipher_suite: number;
  readonly group_id: string;
  readonly initial_init_secret: string;
  readonly epochs: readonly (EpochTexts & {
    exporter: Texts<"context" | "label" | "secret"> & { length: number };
  })[];
}

describeVectors<KeyScheduleVector>("key-schedule", async (vector, cs) => {
  let initSecret = hex(vector.initial_init_secret);
  for (const [index, epoch] of vector.epochs.entries()) {
    const context = {
      version: "mls10",
      cipherSuite: getCiphersuiteFromId(vector.cipher_suite as CiphersuiteId).name,
      groupId: hex(vector.group_id),
      epoch: BigInt(index),
      treeHash: hex(epoch.tree_hash),
      confirmedTranscriptHash: hex(epoch.confirmed_transcript_hash),
      extensions: [],
    } as const;
    expect(encodeGroupContext({ ...context, extensions: [] })).toEqual(hex(epoch.group_context));
    const made = await initializeEpoch(
      initSecret,
      hex(epoch.commit_secret),
      { ...context, extensions: [] },
      hex(epoch.psk_secret),
      cs.kdf,
    );
    const { keySchedule: keys } = made;
    expect(made.joinerSecret).toEqual(hex(epoch.joiner_secret));
    expect(made.welcomeSecret).toEqual(hex(epoch.welcome_secret));
    expect(made.encryptionSecret).toEqual(hex(epoch.encryption_secret));
    expect(keys).toEqual({
      initSecret: hex(epoch.init_secret),
      senderDataSecret: hex(epoch.sender_data_secret),
      exporterSecret: hex(epoch.exporter_secret),
      externalSecret: hex(epoch.external_secret),
      confirmationKey: hex(epoch.confirmation_key),
      membershipKey: hex(epoch.membership_key),
      resumptionPsk: hex(epoch.resumption_psk),
      epochAuthenticator: hex(epoch.epoch_authenticator),
    });
    const { publicKey } = await cs.hpke.deriveKeyPair(hex(epoch.external_secret));
    expect(await cs.hpke.exportPublicKey(publicKey)).toEqual(hex(epoch.external_pub));
    const { label, context: about, length, secret } = epoch.exporter;
    expect(await mlsExporter(keys.exporterSecret, label, hex(about), length, cs)).toEqual(
      hex(secret),
    );
    initSecret = keys.initSecret;
  }
});

type LeafStep = Texts<
  "handshake_key" | "handshake_nonce" | "application_key" | "application_nonce"
> & { generation: number };

interface SecretTreeVector {
  readonly cipher_suite: number;
  readonly encryption_secret: string;
  readonly sender_data: Texts<"sender_data_secret" | "ciphertext" | "key" | "nonce">;
  readonly leaves: readonly (readonly LeafStep[])[];
}

describeVectors<SecretTreeVector>("secret-tree", async (vector, cs) => {
  const { sender_data: sender, leaves } = vector;
  const [secret, ciphertext] = [hex(sender.sender_data_secret), hex(sender.ciphertext)];
  expect(await expandSenderDataKey(cs, secret, ciphertext)).toEqual(hex(sender.key));
  expect(await expandSenderDataNonce(cs, secret, ciphertext)).toEqual(hex(sender.nonce));
  let tree = await createSecretTree(leaves.length, hex(vector.encryption_secret), cs.kdf);
  for (const [leaf, steps] of leaves.entries())
    for (const step of steps) {
      const senderData = {
        leafIndex: toLeafIndex(leaf),
        generation: step.generation,
        reuseGuard: new Uint8Array(4) as ReuseGuard,
      };
      const application = await ratchetToGeneration(tree, senderData, "application", retention, cs);
      expect(application.key).toEqual(hex(step.application_key));
      expect(application.nonce).toEqual(hex(step.application_nonce));
      const handshake = await ratchetToGeneration(
        application.newTree,
        senderData,
        "commit",
        retention,
        cs,
      );
      expect(handshake.key).toEqual(hex(step.handshake_key));
      expect(handshake.nonce).toEqual(hex(step.handshake_nonce));
      tree = handshake.newTree;
    }
});

type TranscriptVector = Texts<
  | "confirmation_key"
  | "authenticated_content"
  | "interim_transcript_hash_before"
  | "confirmed_transcript_hash_after"
  | "interim_transcript_hash_after"
> & { readonly cipher_suite: number };

describeVectors<TranscriptVector>("transcript-hashes", async (vector, cs) => {
  const [decoded] = decodeAuthenticatedContent(hex(vector.authenticated_content), 0) ?? [];
  if (decoded?.content.contentType !== "commit" || decoded.auth.contentType !== "commit")
    throw new Error("not a commit");
  const { confirmationTag, signature } = decoded.auth;
  const confirmed = hex(vector.confirmed_transcript_hash_after);
  expect(await cs.hash.verifyMac(hex(vector.confirmation_key), confirmationTag, confirmed)).toBe(
    true,
  );
  const input = { wireformat: decoded.wireformat, content: decoded.content, signature };
  const before = hex(vector.interim_transcript_hash_before);
  expect(await createConfirmedHash(before, input, cs.hash)).toEqual(confirmed);
  expect(await createInterimHash(confirmed, confirmationTag, cs.hash)).toEqual(
    hex(vector.interim_transcript_hash_after),
  );
});

interface PskVector {
  readonly cipher_suite: number;
  readonly psks: readonly Texts<"psk_id" | "psk" | "psk_nonce">[];
  readonly psk_secret: string;
}

describeVectors<PskVector>("psk_secret", async ({ psks, psk_secret: secret }, cs: CiphersuiteImpl) => {
  const given = psks.map(({ psk_id: id, psk, psk_nonce: nonce }) => {
    const name = { psktype: "external", pskId: hex(id), pskNonce: hex(nonce) } as const;
    return [name, hex(psk)] as [typeof name, Uint8Array];
  });
  expect(await computePskSecret(given, cs)).toEqual(hex(secret));
});
