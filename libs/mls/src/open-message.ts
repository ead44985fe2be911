import type { CiphersuiteImpl, ClientState } from "ts-mls";
import { unprotectPrivateMessage } from "ts-mls/messageProtection.js";
import { identityOf, type LeafIdentity } from "./leaf-identity.ts";
import { MlsError } from "./mls-error.ts";
import { decodeMessage, mlsBytesMax } from "./wire.ts";

export interface OpenedMessage {
  readonly plaintext: Uint8Array;
  readonly aad: Uint8Array;
  /** Who sealed it, by the signature inside. */
  readonly sender: LeafIdentity;
  readonly epoch: number;
}

export interface Opening {
  readonly message: OpenedMessage;
  readonly state: ClientState;
  readonly consumed: readonly Uint8Array[];
}

/** Opens an application message with the secrets of its epoch. Rejects with `MlsError`. */
export async function openMessage(
  state: ClientState,
  sealed: Uint8Array,
  cs: CiphersuiteImpl,
): Promise<Opening> {
  const { privateMessage } = decodeMessage(sealed, "mls_private_message", mlsBytesMax.message);
  if (privateMessage.contentType !== "application")
    throw new MlsError("BAD_MESSAGE", "not an application message");
  const now = state.groupContext.epoch;
  if (privateMessage.epoch > now)
    throw new MlsError("FUTURE_EPOCH", "a message of an epoch that has not begun here");
  const past =
    privateMessage.epoch < now ? state.historicalReceiverData.get(privateMessage.epoch) : undefined;
  if (privateMessage.epoch < now && !past)
    throw new MlsError("WRONG_EPOCH", "a message of an epoch that is over");
  const from = past ?? { ...state, senderDataSecret: state.keySchedule.senderDataSecret };
  const config = state.clientConfig.keyRetentionConfig;
  const { senderDataSecret, secretTree, ratchetTree, groupContext } = from;
  const result = await unprotectPrivateMessage(
    senderDataSecret,
    privateMessage,
    secretTree,
    ratchetTree,
    groupContext,
    config,
    cs,
  ).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : "";
    if (/in the past/.test(why))
      throw new MlsError("REPLAYED", "a message that was opened before", { cause });
    throw new MlsError("BAD_MESSAGE", "a message that cannot be opened", { cause });
  });
  const { content } = result.content;
  if (content.contentType !== "application" || content.sender.senderType !== "member") {
    throw new MlsError("BAD_MESSAGE", "not an application message of a member");
  }
  const leaf = ratchetTree[2 * content.sender.leafIndex];
  if (leaf?.nodeType !== "leaf")
    throw new MlsError("NOT_A_MEMBER", "a message from nobody in the group");
  const message = {
    plaintext: content.applicationData,
    aad: privateMessage.authenticatedData,
    sender: identityOf(leaf.leaf.credential),
    epoch: Number(privateMessage.epoch),
  };
  return {
    message,
    state: withSecrets(state, past, privateMessage.epoch, result.tree),
    consumed: result.consumed,
  };
}

type PastEpoch =
  ClientState["historicalReceiverData"] extends Map<bigint, infer Data> ? Data : never;

function withSecrets(
  state: ClientState,
  past: PastEpoch | undefined,
  epoch: bigint,
  secretTree: ClientState["secretTree"],
): ClientState {
  if (!past) return { ...state, secretTree };
  const historicalReceiverData = new Map(state.historicalReceiverData).set(epoch, {
    ...past,
    secretTree,
  });
  return { ...state, historicalReceiverData };
}
