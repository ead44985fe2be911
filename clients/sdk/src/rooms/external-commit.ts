import type { JoinedGroup } from "@sotto/mls";
import { type DeviceId, type Envelope, EnvelopeKind, toHex, toSafeNumber } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError } from "../errors.ts";
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
 * behind. `state.roster` must be the one after `last`, and after what everybody passed over since. What begins when it
 * wins is kept as `state.pending`: the caller stores it before it sends.
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
    judge: judgeAt(context, context.directory.size),
  });
  if (context.checks.groupInfo) checkGroupInfo(state, last, joined.joined, joined.group.policy);
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

/**
 * Throws SERVER_MISBEHAVED unless the group is that of the record's committer, a member; not an older one; and
 * with no others than the members and the policy that the room's records have given it.
 */
function checkGroupInfo(
  { roster, epochSeen, unremoved, policies }: RoomState,
  last: Envelope,
  joined: JoinedGroup,
  policy: Uint8Array,
): void {
  const refused = (why: string) =>
    new SottoClientError(
      "SERVER_MISBEHAVED",
      `this device does not come in by a group that ${why}`,
    );
  const committer = toHex(last.committer?.device ?? new Uint8Array()) as DeviceId;
  if (joined.signer.device !== committer || !roster?.devices.has(committer))
    throw refused("is not told of by the member who changed it last");
  // Records that everybody skipped count in the room, and not in the group.
  if (joined.epoch < epochSeen || joined.epoch > toSafeNumber(last.epoch))
    throw refused("is older than what it has seen");
  const known = (device: string) =>
    roster.devices.has(device as DeviceId) || unremoved.includes(device);
  if (!joined.members.every(({ device }) => known(device)))
    throw refused("holds somebody who is not in the room");
  if (policies.length > 0 && !policies.includes(toHex(policy)))
    throw refused("has another policy than the room");
}
