import type { GroupInfo, RatchetTree } from "ts-mls";
import { identityOf, type LeafIdentity } from "./leaf-identity.ts";
import { MlsError } from "./mls-error.ts";

/** The group that an external commit follows, as its GroupInfo and tree say. */
export interface JoinedGroup {
  readonly epoch: number;
  /** The leaf that signed the GroupInfo. */
  readonly signer: LeafIdentity;
  readonly members: readonly LeafIdentity[];
}

/** What a GroupInfo and its tree say, nothing of it verified yet. Throws `MlsError` BAD_MESSAGE. */
export function joinedGroup(groupInfo: GroupInfo, tree: RatchetTree): JoinedGroup {
  try {
    const members: LeafIdentity[] = [];
    let signer: LeafIdentity | undefined;
    for (const [index, node] of tree.entries()) {
      if (node?.nodeType !== "leaf") continue;
      const identity = identityOf(node.leaf.credential);
      members.push(identity);
      if (index === 2 * groupInfo.signer) signer = identity;
    }
    if (!signer) throw new MlsError("BAD_MESSAGE", "a GroupInfo that nobody of its tree signed");
    return { epoch: Number(groupInfo.groupContext.epoch), signer, members };
  } catch (cause) {
    if (cause instanceof MlsError) throw cause;
    throw new MlsError("BAD_MESSAGE", "a tree that cannot be read", { cause });
  }
}
