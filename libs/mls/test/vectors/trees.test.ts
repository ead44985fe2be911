import { type CiphersuiteId, getCiphersuiteFromId } from "ts-mls/crypto/ciphersuite.js";
import { applyUpdatePathSecret } from "ts-mls/createCommit.js";
import { deriveSecret } from "ts-mls/crypto/kdf.js";
import { verifyLeafNodeSignature } from "ts-mls/leafNode.js";
import { verifyParentHashes } from "ts-mls/parentHash.js";
import { getCommitSecret, type PathSecrets } from "ts-mls/pathSecrets.js";
import { type PrivateKeyPath, toPrivateKeyPath } from "ts-mls/privateKeyPath.js";
import { decodeProposal } from "ts-mls/proposal.js";
import {
  addLeafNode,
  getHpkePublicKey,
  removeLeafNode,
  resolution,
  updateLeafNode,
} from "ts-mls/ratchetTree.js";
import { treeHash, treeHashRoot } from "ts-mls/treeHash.js";
import { leafToNodeIndex, nodeToLeafIndex, toLeafIndex, toNodeIndex } from "ts-mls/treemath.js";
import { applyUpdatePath, createUpdatePath, decodeUpdatePath } from "ts-mls/updatePath.js";
import { expect } from "vitest";
import { decodeTree, encodeTree } from "../../src/wire.ts";
import { describeVectors, hex } from "./official-vectors.ts";

interface TreeOperation {
  readonly cipher_suite: number;
  readonly proposal: string;
  readonly proposal_sender: number;
  readonly tree_before: string;
  readonly tree_after: string;
  readonly tree_hash_before: string;
  readonly tree_hash_after: string;
}

describeVectors<TreeOperation>("tree-operations", async (vector, cs) => {
  const tree = decodeTree(hex(vector.tree_before));
  expect(await treeHashRoot(tree, cs.hash)).toEqual(hex(vector.tree_hash_before));
  const [proposal] = decodeProposal(hex(vector.proposal), 0) ?? [];
  const after = () => {
    if (proposal?.proposalType === "add")
      return addLeafNode(tree, proposal.add.keyPackage.leafNode)[0];
    if (proposal?.proposalType === "update")
      return updateLeafNode(tree, proposal.update.leafNode, toLeafIndex(vector.proposal_sender));
    if (proposal?.proposalType === "remove")
      return removeLeafNode(tree, toLeafIndex(proposal.remove.removed));
    throw new Error("another kind of proposal");
  };
  const changed = after();
  expect(encodeTree(changed)).toEqual(hex(vector.tree_after));
  expect(await treeHashRoot(changed, cs.hash)).toEqual(hex(vector.tree_hash_after));
});

interface TreeValidation {
  readonly cipher_suite: number;
  readonly tree: string;
  readonly group_id: string;
  readonly tree_hashes: readonly string[];
  readonly resolutions: readonly (readonly number[])[];
}

describeVectors<TreeValidation>(
  "tree-validation",
  async (vector, cs) => {
    const tree = decodeTree(hex(vector.tree));
    for (const [node, hash] of vector.tree_hashes.entries())
      expect(await treeHash(tree, toNodeIndex(node), cs.hash)).toEqual(hex(hash));
    for (const [node, right] of vector.resolutions.entries())
      expect(resolution(tree, toNodeIndex(node))).toEqual(right);
    expect(await verifyParentHashes(tree, cs.hash)).toBe(true);
    for (const [index, node] of tree.entries()) {
      if (node?.nodeType !== "leaf") continue;
      const leaf = nodeToLeafIndex(toNodeIndex(index));
      const group = hex(vector.group_id);
      expect(await verifyLeafNodeSignature(node.leaf, group, leaf, cs.signature)).toBe(true);
    }
  },
  { slow: true },
);

interface TreeKem {
  readonly cipher_suite: number;
  readonly group_id: string;
  readonly epoch: number;
  readonly confirmed_transcript_hash: string;
  readonly ratchet_tree: string;
  readonly leaves_private: readonly {
    readonly index: number;
    readonly encryption_priv: string;
    readonly signature_priv: string;
    readonly path_secrets: readonly { readonly node: number; readonly path_secret: string }[];
  }[];
  readonly update_paths: readonly {
    readonly sender: number;
    readonly update_path: string;
    readonly path_secrets: readonly (string | null)[];
    readonly commit_secret: string;
    readonly tree_hash_after: string;
  }[];
}

describeVectors<TreeKem>(
  "treekem",
  async (vector, cs) => {
    const tree = decodeTree(hex(vector.ratchet_tree));
    const context = {
      version: "mls10" as const,
      cipherSuite: getCiphersuiteFromId(vector.cipher_suite as CiphersuiteId).name,
      groupId: hex(vector.group_id),
      epoch: BigInt(vector.epoch),
      treeHash: await treeHashRoot(tree, cs.hash),
      confirmedTranscriptHash: hex(vector.confirmed_transcript_hash),
      extensions: [],
    };
    const members: PrivateKeyPath[] = [];
    for (const leaf of vector.leaves_private) {
      const secrets: PathSecrets = {};
      for (const { node, path_secret: secret } of leaf.path_secrets) {
        secrets[node] = hex(secret);
        const { publicKey } = await cs.hpke.deriveKeyPair(
          await deriveSecret(hex(secret), "node", cs.kdf),
        );
        const inTree = tree[node];
        if (!inTree) throw new Error("a path secret of a blank node");
        expect(await cs.hpke.exportPublicKey(publicKey)).toEqual(getHpkePublicKey(inTree));
      }
      const path = await toPrivateKeyPath(secrets, leaf.index, cs);
      const own = leafToNodeIndex(toLeafIndex(leaf.index));
      const privateKeys = { ...path.privateKeys, [own]: hex(leaf.encryption_priv) };
      members.push({ ...path, privateKeys });
    }
    for (const update of vector.update_paths) {
      const sender = toLeafIndex(update.sender);
      const [path] = decodeUpdatePath(hex(update.update_path), 0) ?? [];
      if (!path) throw new Error("an update path that cannot be read");
      const updated = await applyUpdatePath(tree, sender, path, cs.hash);
      const hash = await treeHashRoot(updated, cs.hash);
      expect(hash).toEqual(hex(update.tree_hash_after));
      const signer = vector.leaves_private.find(({ index }) => index === update.sender);
      const withHash = { ...context, treeHash: hash };
      const key = hex(signer?.signature_priv ?? "");
      const [ownTree, ownPath, ownSecrets] = await createUpdatePath(
        updated,
        sender,
        withHash,
        key,
        cs,
      );
      const ownRoot = ownSecrets.at(-1)?.secret ?? new Uint8Array();
      const ownCommitSecret = await deriveSecret(ownRoot, "path", cs.kdf);
      const ownContext = {
        ...context,
        treeHash: await treeHashRoot(ownTree, cs.hash),
        epoch: context.epoch + 1n,
      };
      for (const member of members) {
        const right = update.path_secrets[member.leafIndex];
        if (member.leafIndex === update.sender) {
          expect(right).toBeNull();
          continue;
        }
        const read = await applyUpdatePathSecret(tree, member, sender, withHash, path, [], cs);
        expect(read.pathSecret).toEqual(hex(right ?? ""));
        expect(await getCommitSecret(tree, read.nodeIndex, read.pathSecret, cs.kdf)).toEqual(
          hex(update.commit_secret),
        );
        const ours = await applyUpdatePathSecret(tree, member, sender, ownContext, ownPath, [], cs);
        expect(await getCommitSecret(tree, ours.nodeIndex, ours.pathSecret, cs.kdf)).toEqual(
          ownCommitSecret,
        );
      }
    }
  },
  { slow: true },
);
