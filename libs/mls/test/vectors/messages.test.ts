import { type CiphersuiteImpl, type GroupContext } from "ts-mls";
import { type CiphersuiteId, getCiphersuiteFromId } from "ts-mls/crypto/ciphersuite.js";
import { encodeCommit } from "ts-mls/commit.js";
import { defaultCapabilities } from "ts-mls/defaultCapabilities.js";
import { verifyGroupInfoConfirmationTag, verifyGroupInfoSignature } from "ts-mls/groupInfo.js";
import { makeKeyPackageRef } from "ts-mls/keyPackage.js";
import { protectApplicationData, unprotectPrivateMessage } from "ts-mls/messageProtection.js";
import { unprotectPublicMessage } from "ts-mls/messageProtectionPublic.js";
import { encodeProposal } from "ts-mls/proposal.js";
import type { RatchetTree } from "ts-mls/ratchetTree.js";
import { createSecretTree } from "ts-mls/secretTree.js";
import { decryptGroupInfo, decryptGroupSecrets } from "ts-mls/welcome.js";
import { expect } from "vitest";
import { safeConfig } from "../../src/safe-config.ts";
import { decodeMessage, mlsBytesMax } from "../../src/wire.ts";
import { describeVectors, hex } from "./official-vectors.ts";

const { keyRetentionConfig: retention, paddingConfig: padding } = safeConfig(() => false);

type MessageProtection = Readonly<
  Record<
    | "group_id"
    | "tree_hash"
    | "confirmed_transcript_hash"
    | "signature_priv"
    | "signature_pub"
    | "encryption_secret"
    | "sender_data_secret"
    | "membership_key"
    | "proposal"
    | "proposal_priv"
    | "proposal_pub"
    | "commit"
    | "commit_priv"
    | "commit_pub"
    | "application"
    | "application_priv",
    string
  >
> & { readonly cipher_suite: number; readonly epoch: number };

/** The sender, leaf 1, stands in the tree; its key is given beside it. */
const sender: RatchetTree = [
  undefined,
  undefined,
  {
    nodeType: "leaf",
    leaf: {
      leafNodeSource: "commit",
      hpkePublicKey: new Uint8Array(),
      signaturePublicKey: new Uint8Array(),
      capabilities: defaultCapabilities(),
      parentHash: new Uint8Array(),
      extensions: [],
      signature: new Uint8Array(),
      credential: { credentialType: "basic", identity: new Uint8Array() },
    },
  },
];

describeVectors<MessageProtection>("message-protection", async (vector, cs) => {
  const context: GroupContext = {
    version: "mls10",
    cipherSuite: getCiphersuiteFromId(vector.cipher_suite as CiphersuiteId).name,
    groupId: hex(vector.group_id),
    epoch: BigInt(vector.epoch),
    treeHash: hex(vector.tree_hash),
    confirmedTranscriptHash: hex(vector.confirmed_transcript_hash),
    extensions: [],
  };
  const key = hex(vector.signature_pub);
  const openPrivate = async (bytes: string) => await privateContent(bytes, vector, context, cs);
  const openPublic = async (bytes: string) => {
    const { publicMessage } = decodeMessage(hex(bytes), "mls_public_message", mlsBytesMax.handshake);
    const membership = hex(vector.membership_key);
    return (await unprotectPublicMessage(membership, context, [], publicMessage, cs, key)).content;
  };
  for (const content of [await openPublic(vector.proposal_pub), await openPrivate(vector.proposal_priv)]) {
    if (content.contentType !== "proposal") throw new Error("not a proposal");
    expect(encodeProposal(content.proposal)).toEqual(hex(vector.proposal));
  }
  for (const content of [await openPublic(vector.commit_pub), await openPrivate(vector.commit_priv)]) {
    if (content.contentType !== "commit") throw new Error("not a commit");
    expect(encodeCommit(content.commit)).toEqual(hex(vector.commit));
  }
  const given = await openPrivate(vector.application_priv);
  if (given.contentType !== "application") throw new Error("not an application message");
  expect(given.applicationData).toEqual(hex(vector.application));
  const own = await protectApplicationData(
    hex(vector.signature_priv),
    hex(vector.sender_data_secret),
    hex(vector.application),
    new Uint8Array(),
    context,
    await createSecretTree(2, hex(vector.encryption_secret), cs.kdf),
    1,
    padding,
    cs,
  );
  const opened = await unprotectPrivateMessage(
    hex(vector.sender_data_secret),
    own.privateMessage,
    await createSecretTree(2, hex(vector.encryption_secret), cs.kdf),
    sender,
    context,
    retention,
    cs,
    key,
  );
  expect(opened.content.content).toMatchObject({ applicationData: hex(vector.application) });
});

async function privateContent(
  bytes: string,
  vector: MessageProtection,
  context: GroupContext,
  cs: CiphersuiteImpl,
) {
  const { privateMessage } = decodeMessage(hex(bytes), "mls_private_message", mlsBytesMax.message);
  const tree = await createSecretTree(2, hex(vector.encryption_secret), cs.kdf);
  const opened = await unprotectPrivateMessage(
    hex(vector.sender_data_secret),
    privateMessage,
    tree,
    sender,
    context,
    retention,
    cs,
    hex(vector.signature_pub),
  );
  return opened.content.content;
}

interface WelcomeVector {
  readonly cipher_suite: number;
  readonly init_priv: string;
  readonly key_package: string;
  readonly signer_pub: string;
  readonly welcome: string;
}

describeVectors<WelcomeVector>("welcome", async (vector, cs) => {
  const { welcome } = decodeMessage(hex(vector.welcome), "mls_welcome", mlsBytesMax.handshake);
  const { keyPackage } = decodeMessage(
    hex(vector.key_package),
    "mls_key_package",
    mlsBytesMax.handshake,
  );
  const ref = await makeKeyPackageRef(keyPackage, cs.hash);
  const privateKey = await cs.hpke.importPrivateKey(hex(vector.init_priv));
  const secrets = await decryptGroupSecrets(privateKey, ref, welcome, cs.hpke);
  if (!secrets) throw new Error("no group secrets for this KeyPackage");
  const noPsk = new Uint8Array(cs.kdf.size);
  const info = await decryptGroupInfo(welcome, secrets.joinerSecret, noPsk, cs);
  if (!info) throw new Error("no group info");
  expect(await verifyGroupInfoSignature(info, hex(vector.signer_pub), cs.signature)).toBe(true);
  expect(await verifyGroupInfoConfirmationTag(info, secrets.joinerSecret, noPsk, cs)).toBe(true);
});
