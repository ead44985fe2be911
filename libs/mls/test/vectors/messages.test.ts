import type { CiphersuiteImpl, GroupContext, KeyPackage } from "ts-mls";
import { type CiphersuiteId, getCiphersuiteFromId } from "ts-mls/crypto/ciphersuite.js";
import { encodeCommit } from "ts-mls/commit.js";
import { defaultCapabilities } from "ts-mls/defaultCapabilities.js";
import { verifyGroupInfoConfirmationTag, verifyGroupInfoSignature } from "ts-mls/groupInfo.js";
import { makeKeyPackageRef } from "ts-mls/keyPackage.js";
import { unprotectPrivateMessage } from "ts-mls/messageProtection.js";
import { unprotectPublicMessage } from "ts-mls/messageProtectionPublic.js";
import { encodeProposal } from "ts-mls/proposal.js";
import type { NodeLeaf, RatchetTree } from "ts-mls/ratchetTree.js";
import { createSecretTree } from "ts-mls/secretTree.js";
import { decryptGroupInfo, decryptGroupSecrets } from "ts-mls/welcome.js";
import { expect } from "vitest";
import type { Group } from "../../src/index.ts";
import { credentialOf } from "../../src/leaf-identity.ts";
import { safeConfig } from "../../src/safe-config.ts";
import { decodeMessage, encodeTree, mlsBytesMax } from "../../src/wire.ts";
import { describeVectors, hex } from "./official-vectors.ts";
import { foreign, groupIn, keptSecret, ourMls } from "./our-module.ts";

const { keyRetentionConfig: retention } = safeConfig(() => false);

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

/** The sender, leaf 1, stands in the tree, as somebody of Sotto. */
const sender = (signaturePublicKey: Uint8Array): RatchetTree => [
  undefined,
  undefined,
  {
    nodeType: "leaf",
    leaf: {
      leafNodeSource: "commit",
      hpkePublicKey: new Uint8Array(),
      signaturePublicKey,
      capabilities: defaultCapabilities(),
      parentHash: new Uint8Array(),
      extensions: [],
      signature: new Uint8Array(),
      credential: credentialOf({
        user: "aa".repeat(16),
        device: "bb".repeat(16),
        recordHash: new Uint8Array(32),
      }),
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
  await throughGroups(vector, context, cs);
});

/** Two members' groups of ours in the vector's state: leaf 1 is the sender, leaf 0 reads. */
async function throughGroups(
  vector: MessageProtection,
  groupContext: GroupContext,
  cs: CiphersuiteImpl,
): Promise<void> {
  const member = async (leafIndex: number): Promise<Group> => {
    const none = new Uint8Array();
    return groupIn(cs, {
      groupContext,
      ratchetTree: sender(hex(vector.signature_pub)),
      secretTree: await createSecretTree(2, hex(vector.encryption_secret), cs.kdf),
      privatePath: { leafIndex, privateKeys: {} },
      signaturePrivateKey: hex(vector.signature_priv),
      confirmationTag: none,
      keySchedule: {
        initSecret: none,
        senderDataSecret: hex(vector.sender_data_secret),
        exporterSecret: none,
        externalSecret: none,
        confirmationKey: none,
        membershipKey: hex(vector.membership_key),
        resumptionPsk: none,
        epochAuthenticator: none,
      },
    });
  };
  const reader = await member(0);
  const sealed = hex(vector.application_priv);
  await expect(reader.open(spoilt(sealed))).rejects.toMatchObject({ code: "BAD_MESSAGE" });
  expect((await reader.open(sealed)).plaintext).toEqual(hex(vector.application));
  await expect(reader.open(sealed)).rejects.toMatchObject({ code: "REPLAYED" });
  const own = await (await member(1)).seal(hex(vector.application), new Uint8Array());
  expect((await (await member(0)).open(own.sealed)).plaintext).toEqual(hex(vector.application));

  const judge = () => true;
  const anything = { expect: "anything", judge } as const;
  await expect(reader.takeProposal(spoilt(hex(vector.proposal_pub)), judge)).rejects.toThrow(
    /membership/,
  );
  await reader.takeProposal(hex(vector.proposal_pub), judge);
  // What a commit of the vector names is nowhere: it gets as far as that where tag and signature are right.
  await expect(reader.process(spoilt(hex(vector.commit_pub)), anything)).rejects.toThrow(
    /membership/,
  );
  await expect(reader.process(hex(vector.commit_pub), anything)).rejects.toThrow(/proposal/);
  // Handshakes go in the open at Sotto, where the server must see them: sealed ones are none.
  for (const message of [hex(vector.proposal_priv), hex(vector.commit_priv)]) {
    await expect(reader.open(message)).rejects.toMatchObject({ code: "BAD_MESSAGE" });
    await expect(reader.process(message, anything)).rejects.toMatchObject({ code: "BAD_COMMIT" });
  }
}

/** The same with another last bit. */
function spoilt(bytes: Uint8Array): Uint8Array {
  const other = bytes.slice();
  other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
  return other;
}

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
    sender(hex(vector.signature_pub)),
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
  await throughJoining(vector, cs, keyPackage, info.signer);
});

/** The vector has no tree, so that nobody can join by it: `Mls.joinFromWelcome` gets as far as what is right lets it. */
async function throughJoining(
  vector: WelcomeVector,
  cs: CiphersuiteImpl,
  keyPackage: KeyPackage,
  signer: number,
): Promise<void> {
  const leaf = (signaturePublicKey: Uint8Array): NodeLeaf => ({
    nodeType: "leaf",
    leaf: { ...keyPackage.leafNode, signaturePublicKey },
  });
  const tree = (signerKey: Uint8Array): Uint8Array => {
    const nodes: RatchetTree = Array.from({ length: 2 * signer }, () => undefined);
    return encodeTree([...nodes, leaf(signerKey)]);
  };
  const signerKey = hex(vector.signer_pub);
  const initPrivateKey = hex(vector.init_priv);
  const join = (given: { init?: Uint8Array; tree?: Uint8Array; trusted?: boolean }) =>
    ourMls(foreign(cs)).joinFromWelcome({
      welcome: hex(vector.welcome),
      tree: given.tree,
      secret: keptSecret(keyPackage, {
        initPrivateKey: given.init ?? initPrivateKey,
        hpkePrivateKey: initPrivateKey,
      }),
      signatureKey: { publicKey: signerKey, privateKey: signerKey },
      judge: () => given.trusted ?? true,
    });
  const { privateKey: other } = await cs.hpke.generateKeyPair();
  const init = await cs.hpke.exportPrivateKey(other);
  await expect(join({ init })).rejects.not.toThrow(/tree/i);
  await expect(join({})).rejects.toThrow(/No RatchetTree/);
  await expect(join({ tree: tree(signerKey), trusted: false })).rejects.toThrow(/credential/);
  await expect(join({ tree: tree(keyPackage.leafNode.signaturePublicKey) })).rejects.toThrow(
    /groupInfo signature/,
  );
  await expect(join({ tree: tree(signerKey) })).rejects.toThrow(/leaf node signature/);
}
