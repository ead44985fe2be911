import type { Signer } from "@sotto/identity";
import { loadServerIdentity } from "./server-identity.ts";
import { loadLogKey } from "./transparency/log-key.ts";
import { LogState } from "./transparency/log-state.ts";

/** What makes this server itself: it lies in one folder that the keyserver alone opens. */
export interface ServerKeys {
  /** Which invites pin. */
  readonly identityKey: Signer;
  /** Which signs the directory's checkpoints. */
  readonly logKey: Signer;
  /** What it has signed. */
  readonly logState: LogState;
}

/** Reads `server.key`, `log.key` and `log.state` in a folder, made at first start. Rejects with `StartError`. */
export async function loadServerKeys(folder: string): Promise<ServerKeys> {
  return {
    identityKey: await loadServerIdentity(folder),
    logKey: await loadLogKey(folder),
    logState: new LogState(folder),
  };
}
