import type { AgentProfile } from "./agent-profile.ts";
import { audit, keys, verify } from "./audit-methods.ts";
import { devices, joinLink, link, revokeDevice } from "./device-methods.ts";
import {
  lock,
  lockState,
  passphraseChange,
  passphraseRemove,
  passphraseSet,
  protect,
  unlock,
} from "./lock-methods.ts";
import { media, save, share, watch } from "./media-methods.ts";
import { invite, join, whoami } from "./people-methods.ts";
import { confirmRecovery, recover, recovery } from "./recovery-methods.ts";
import {
  listen,
  members,
  roomAdd,
  roomCreate,
  roomPolicy,
  roomRemove,
  rooms,
  send,
} from "./room-methods.ts";

/** What a method may use beside the profile. */
export interface MethodContext {
  /** Hands an item to the command; resolves when it may have the next. */
  item(value: unknown): Promise<void>;
  /** Aborts when the command ended. */
  readonly signal: AbortSignal;
  /** Ends the agent once the command has its answer. */
  stop(): void;
}

export type Method = (
  profile: AgentProfile,
  params: Readonly<Record<string, unknown>>,
  context: MethodContext,
) => Promise<unknown>;

/** Everything that commands can ask of the agent. */
export const methods: Readonly<Record<string, Method>> = {
  join,
  joinLink,
  link,
  devices,
  revokeDevice,
  recovery,
  confirmRecovery,
  recover,
  whoami,
  invite,
  keys,
  verify,
  audit,
  rooms,
  members,
  roomCreate,
  roomAdd,
  roomRemove,
  roomPolicy,
  send,
  listen,
  share,
  media,
  save,
  watch,
  lockState,
  unlock,
  lock,
  protect,
  passphraseSet,
  passphraseChange,
  passphraseRemove,
};
