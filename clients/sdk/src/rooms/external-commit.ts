import { type Envelope, EnvelopeKind, toHex } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { writeEnvelope } from "./envelopes.ts";
import { judgeAt } from "./judge.ts";
import type { PartInit } from "./parts.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";

/** A REJOIN that is not sent yet. */
export interface ExternalCommit {
  readonly envelope: Uint8Array;
  /** Of the envelope, hex. */
  readonly sha256: string;
  readonly treePart: PartInit;
  readonly tree: Uint8Array;
}

/**
 * Makes an external commit that brings this device into the group that the handshake record `last` left
 * behind. `state.roster` must be the one after `last`. What begins when it wins is kept as `state.pending`: the
 * caller stores it before it sends.
 */
export async function writeExternalCommit(
  context: RoomContext,
  state: RoomState,
  connection: Connection,
  last: Envelope,
): Promise<ExternalCommit> {
  const [groupInfo, tree] = await Promise.all([
    context.parts.fetch(connection, state.room, last.groupInfo),
    context.parts.fetch(connection, state.room, last.tree),
  ]);
  const joined = await context.mls.joinByExternalCommit({
    groupInfo,
    tree,
    identity: context.leaf,
    signatureKey: context.mlsKey,
    resync: state.roster?.devices.has(context.profile.device) === true,
    judge: judgeAt(context, context.directory.size),
  });
  const newTree = await joined.group.tree();
  const treePart = await context.parts.describe(newTree);
  const draft = {
    kind: EnvelopeKind.REJOIN,
    added: [context.profile],
    commit: await context.parts.describe(joined.commit),
    welcome: await context.parts.describe(undefined),
    groupInfo: await context.parts.describe(joined.groupInfo),
    tree: treePart,
  };
  await context.parts.upload(connection, state.room, draft.commit, joined.commit);
  const envelope = await writeEnvelope(context, state, draft);
  const hash = toHex(await sha256(envelope));
  state.pending = { sha256: hash, staged: await joined.group.serialise(), begins: true };
  return { envelope, sha256: hash, tree: newTree, treePart };
}
