import { create, toBinary } from "@bufbuild/protobuf";
import { type Roster, signEnvelope } from "@sotto/identity";
import {
  type DeviceId,
  type Envelope,
  type EnvelopeKind,
  EnvelopeSchema,
  fromHex,
  type UserId,
} from "@sotto/protocol";
import type { PartInit } from "./parts.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";

export interface EnvelopeDraft {
  readonly kind: EnvelopeKind;
  readonly added?: readonly LeafName[];
  readonly removed?: readonly LeafName[];
  readonly commit: PartInit;
  readonly welcome: PartInit;
  readonly groupInfo: PartInit;
  readonly tree: PartInit;
  readonly policy?: Uint8Array;
  readonly direct?: readonly UserId[];
  /** The server's word for those whom anybody may remove. */
  readonly disabled?: readonly Uint8Array[];
}

export interface LeafName {
  readonly user: UserId;
  readonly device: DeviceId;
}

/**
 * A signed handshake record that follows what `state` knows of the room. Rejects with DIRECTORY_FORK and
 * DIRECTORY_WITHHELD: nothing is signed by a directory that cannot be trusted.
 */
export async function writeEnvelope(
  context: RoomContext,
  state: RoomState,
  draft: EnvelopeDraft,
): Promise<Uint8Array> {
  const refusal = context.directory.refusal();
  if (refusal) throw refusal;
  const before: Roster | undefined = state.roster;
  const leaf = ({ user, device }: LeafName) => ({ user: fromHex(user), device: fromHex(device) });
  const envelope: Envelope = create(EnvelopeSchema, {
    version: 1,
    room: fromHex(state.room),
    previousSequence: BigInt(before?.foldedTo ?? 0),
    previousSha256: fromHex(before?.headHash ?? ""),
    epoch: BigInt(before ? before.epoch + 1 : 0),
    kind: draft.kind,
    committer: leaf(context.profile),
    added: (draft.added ?? []).map(leaf),
    removed: (draft.removed ?? []).map(leaf),
    directorySize: BigInt(context.directory.size),
    commit: draft.commit,
    welcome: draft.welcome,
    groupInfo: draft.groupInfo,
    tree: draft.tree,
    policy: draft.policy ?? new Uint8Array(),
    direct: (draft.direct ?? []).map((user) => fromHex(user)),
    disabled: [...(draft.disabled ?? [])],
    skipped: state.skipped.map(BigInt),
  });
  return await signEnvelope(toBinary(EnvelopeSchema, envelope), context.signKey);
}
