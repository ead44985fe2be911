import type { Decoder } from "ts-mls/codec/tlsDecoder.js";
import type { Encoder } from "ts-mls/codec/tlsEncoder.js";
import { determineLength } from "ts-mls/codec/variableLength.js";
import { decodeCommit, encodeCommit } from "ts-mls/commit.js";
import { decodeGroupSecrets, encodeGroupSecrets } from "ts-mls/groupSecrets.js";
import * as proposal from "ts-mls/proposal.js";
import * as treemath from "ts-mls/treemath.js";
import { expect } from "vitest";
import { decodeMessage, decodeTree, decodeWhole, encodeMessage, encodeTree, mlsBytesMax } from "../../src/wire.ts";
import { hex, readVectors, testVectors } from "./official-vectors.ts";

testVectors("deserialization", async () => {
  const all = readVectors<{ vlbytes_header: string; length: number }>("deserialization");
  for (const { vlbytes_header: header, length } of all) {
    const read = determineLength(hex(header), 0);
    expect(read).toEqual({ length, lengthFieldSize: header.length / 2 });
  }
  return { passed: all.length, of: all.length };
});

const wireformats = {
  mls_welcome: "mls_welcome",
  mls_group_info: "mls_group_info",
  mls_key_package: "mls_key_package",
  public_message_application: "mls_public_message",
  public_message_proposal: "mls_public_message",
  public_message_commit: "mls_public_message",
  private_message: "mls_private_message",
} as const;

const whole =
  <Value>(decode: Decoder<Value>, encode: Encoder<Value>) =>
  (bytes: Uint8Array) =>
    encode(decodeWhole(bytes, mlsBytesMax.handshake, (input) => decode(input, 0)));

/** Reads and writes again. */
const parts: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  ratchet_tree: (bytes) => encodeTree(decodeTree(bytes)),
  group_secrets: whole(decodeGroupSecrets, encodeGroupSecrets),
  commit: whole(decodeCommit, encodeCommit),
  add_proposal: whole(proposal.decodeAdd, proposal.encodeAdd),
  update_proposal: whole(proposal.decodeUpdate, proposal.encodeUpdate),
  remove_proposal: whole(proposal.decodeRemove, proposal.encodeRemove),
  pre_shared_key_proposal: whole(proposal.decodePSK, proposal.encodePSK),
  re_init_proposal: whole(proposal.decodeReinit, proposal.encodeReinit),
  external_init_proposal: whole(proposal.decodeExternalInit, proposal.encodeExternalInit),
  group_context_extensions_proposal: whole(
    proposal.decodeGroupContextExtensions,
    proposal.encodeGroupContextExtensions,
  ),
};

testVectors("messages: every kind is read by our decoders and written as it was", async () => {
  const all = readVectors<Record<string, string>>("messages");
  for (const vector of all) {
    for (const [name, kind] of Object.entries(wireformats)) {
      const bytes = hex(vector[name] ?? "");
      expect(encodeMessage(decodeMessage(bytes, kind, mlsBytesMax.handshake))).toEqual(bytes);
      const longer = new Uint8Array([...bytes, 0]);
      expect(() => decodeMessage(longer, kind, mlsBytesMax.handshake)).toThrow("one whole message");
    }
    for (const [name, again] of Object.entries(parts)) {
      const bytes = hex(vector[name] ?? "");
      expect(again(bytes), name).toEqual(bytes);
    }
    const known = Object.keys(wireformats).length + Object.keys(parts).length;
    expect(Object.keys(vector)).toHaveLength(known);
  }
  return { passed: all.length, of: all.length };
});

interface TreeMath {
  readonly n_leaves: number;
  readonly n_nodes: number;
  readonly root: number;
  readonly left: readonly (number | null)[];
  readonly right: readonly (number | null)[];
  readonly parent: readonly (number | null)[];
  readonly sibling: readonly (number | null)[];
}

testVectors("tree-math", async () => {
  const all = readVectors<TreeMath>("tree-math");
  for (const vector of all) {
    const { n_leaves: leaves, n_nodes: nodes } = vector;
    expect(treemath.nodeWidth(leaves)).toBe(nodes);
    expect(treemath.root(leaves)).toBe(vector.root);
    const relations = {
      left: treemath.left,
      right: treemath.right,
      parent: (node: treemath.NodeIndex) => treemath.parent(node, leaves),
      sibling: (node: treemath.NodeIndex) => treemath.sibling(node, leaves),
    };
    for (const [name, relation] of Object.entries(relations))
      for (let node = 0; node < nodes; node++) {
        const right = vector[name as keyof typeof relations][node];
        const found = () => relation(treemath.toNodeIndex(node));
        if (right === null) expect(found).toThrow();
        else expect(found(), `${name} of ${node}`).toBe(right);
      }
  }
  return { passed: all.length, of: all.length };
});
