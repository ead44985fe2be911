import { rosterFromMessage } from "@sotto/identity";
import { EnvelopeKind, fromHex, toHex } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import type { Committer } from "./committer.ts";
import { writeEnvelope } from "./envelopes.ts";
import { judgeAt } from "./judge.ts";
import type { RoomReplica } from "./room-replica.ts";

const attemptsMax = 3;

/**
 * Brings a device whose group state is lost back into its room by an external commit. Called only after
 * replay has reached the head, so that it joins the newest epoch and not one that is being left.
 */
export async function rejoin(
  room: RoomReplica,
  committer: Committer,
  connection: Connection,
): Promise<boolean> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const written = await room.exclusive(() => write(room, connection));
    if (!written) return false;
    if (await committer.send(connection, written.envelope, written.sha256)) {
      await room.context.parts.upload(connection, room.room, written.treePart, written.tree);
      room.context.notice(
        room.room,
        "this device came back into the room; messages in between may be missing",
      );
      return true;
    }
  }
  return false;
}

async function write(room: RoomReplica, connection: Connection) {
  const { context, state } = room;
  const last = room.lastEnvelope;
  if (!last || state.phase !== "lost") return undefined;
  if (!state.roster) {
    const roster = await connection.request(
      { case: "getRoster", value: { room: fromHex(state.room) } },
      "roster",
    );
    state.roster = rosterFromMessage(roster);
  }
  const [groupInfo, tree] = await Promise.all([
    context.parts.fetch(connection, state.room, last.groupInfo),
    context.parts.fetch(connection, state.room, last.tree),
  ]);
  const joined = await context.mls.joinByExternalCommit({
    groupInfo,
    tree,
    identity: context.leaf,
    signatureKey: context.mlsKey,
    resync: state.roster.devices.has(context.profile.device),
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
  await room.persist([], false);
  return { envelope, sha256: hash, tree: newTree, treePart };
}
